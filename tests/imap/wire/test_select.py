"""SELECT and EXAMINE: RFC 3501 sections 6.3.1, 6.3.2 and 7.2.6 to 7.3.2."""

import pytest

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import select
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.select import Select


def read(octets: bytes) -> Select:
    return select.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b" inbox", Select(b"a", "INBOX")),
        (b' "Sent Items" ', Select(b"a", "Sent Items")),
        (b" {3}\r\na b", Select(b"a", "a b")),
        (
            b" INBOX (CONDSTORE)",
            Select(b"a", "INBOX", parameters=((b"CONDSTORE", b""),)),
        ),
        (
            b" x (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
            Select(
                b"a",
                "x",
                parameters=(
                    (b"QRESYNC", b"(67890007 20050715194045000 41,43:211,214:541)"),
                ),
            ),
        ),
    ],
)
def test_a_mailbox_and_parameters_are_read(octets: bytes, expected: Select) -> None:
    """RFC 4466 section 2.4: the session says which parameters it knows."""
    assert read(octets) == expected


@pytest.mark.parametrize("octets", [b"", b" ", b" x y", b" x ()", b" x (A", b" x(A)"])
def test_what_is_no_select_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_examine_reads_only() -> None:
    arguments = Arguments(b" x", 0, Limits())
    assert select.examine(b"a", arguments) == Select(b"a", "x", read_only=True)


def test_the_numbers_and_flags_are_told() -> None:
    assert select.exists(23) == b"* 23 EXISTS\r\n"
    assert select.recent(5) == b"* 5 RECENT\r\n"
    assert select.flags([rb"\Seen", b"$Junk"]) == b"* FLAGS (\\Seen $Junk)\r\n"

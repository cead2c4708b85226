"""STATUS: RFC 3501 sections 6.3.10 and 7.2.4."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import status
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.status import ITEMS, Status


def read(octets: bytes) -> Status:
    return status.parse(b"a", Arguments(octets, 0, Limits()))


def test_items_are_read_once_each_and_in_order() -> None:
    octets = b" blurdybloop (uidnext MESSAGES UIDNEXT)"
    assert read(octets) == Status(b"a", "blurdybloop", (b"UIDNEXT", b"MESSAGES"))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" x",
        b" x ()",
        b" x MESSAGES",
        b" x (WHAT)",
        b" x (UNSEEN",
        b" x (UNSEEN) y",
    ],
)
def test_what_is_no_status_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_numbers_are_told() -> None:
    line = status.response("Sent Items", [(b"MESSAGES", 231), (b"UIDNEXT", 44292)])
    assert line == b'* STATUS "Sent Items" (MESSAGES 231 UIDNEXT 44292)\r\n'
    assert status.response("x", []) == b"* STATUS x ()\r\n"


@given(st.lists(st.sampled_from(sorted(ITEMS)), min_size=1, unique=True))
def test_what_is_written_reads_back(items: list[bytes]) -> None:
    assert read(b" x (%b)" % b" ".join(items)).items == tuple(items)

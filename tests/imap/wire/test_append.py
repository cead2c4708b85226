"""APPEND, up to its message: RFC 3501 section 6.3.11."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import append
from maildrop.imap.wire.append import Append, AppendMessage
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.dates import InternalDates
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.syntax import mailbox
from maildrop.message.flags import DRAFT, SEEN


def read(octets: bytes) -> Append:
    return append.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b" x {310}", AppendMessage(310, synchronizing=True)),
        (b" x {310+}", AppendMessage(310, synchronizing=False)),
        (b" x {0}", AppendMessage(0, synchronizing=True)),
        (b" x () {1}", AppendMessage(1, synchronizing=True)),
        (
            rb" x (\Seen \Draft $Label1) {1}",
            AppendMessage(1, True, SEEN | DRAFT, ("$Label1",)),
        ),
        (
            b' x "17-Jul-1996 02:44:25 -0700" {1}',
            AppendMessage(1, True, date=837596665),
        ),
        (
            rb' x (\Seen) " 7-Jul-1996 02:44:25 -0700" {1+}',
            AppendMessage(1, False, SEEN, date=836732665),
        ),
    ],
)
def test_flags_and_date_may_be_given_or_not(
    octets: bytes, message: AppendMessage
) -> None:
    assert read(octets) == Append(b"a", "x", message)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" x",
        b" x ",
        b" {1}",
        b" x  {1}",
        b" x {1} ",
        b" x {1}(",
        b" x {}",
        b" x {-1}",
        b" x {4294967296}",
        b" x {99999999999}",
        b" x ~{1}",
        b" x (\\Seen{1}",
        b" x (\\Seen){1}",
        b' x "yesterday" {1}',
        b' x "17-Jul-1996 02:44:25 -0700"{1}',
        b' x "17-Jul-1996 02:44:25 -0700" (\\Seen) {1}',
        b' x "text"',
    ],
)
def test_what_is_no_append_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_a_bad_date_is_told_with_its_place() -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        read(b' x "yesterday" {1}')
    assert caught.value.offset == 3


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.sampled_from(["", r"\Seen ", "$Junk "]),
    st.none() | st.integers(0, 1 << 33),
    st.integers(0, 0xFFFFFFFF),
    st.booleans(),
)
def test_what_is_written_reads_back(
    name: str, flag: str, date: int | None, size: int, synchronizing: bool
) -> None:
    octets = b" %b " % mailbox(name)
    if flag:
        octets += b"(%b) " % flag.strip().encode()
    if date is not None:
        octets += InternalDates()(date) + b" "
    octets += b"{%d}" % size if synchronizing else b"{%d+}" % size
    bits = SEEN if "Seen" in flag else 0
    keywords = ("$Junk",) if "Junk" in flag else ()
    assert read(octets) == Append(
        b"a",
        "INBOX" if name.upper() == "INBOX" else name,
        AppendMessage(size, synchronizing, bits, keywords, date),
    )


@given(st.binary(max_size=20) | st.text('x (\\a) "{1+}', max_size=20).map(str.encode))
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        command = read(octets)
    except ProtocolSyntaxError:
        return
    assert command.message.size >= 0

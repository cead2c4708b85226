"""Mailbox names in modified UTF-7: RFC 3501 section 5.1.3."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import decode, encode

#: Any name that UTF-16 can express.
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)

PAIRS = [
    ("", b""),
    ("Sent Items", b"Sent Items"),
    ("A&B", b"A&-B"),
    ("&&", b"&-&-"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("ü&ü", b"&APw-&-&APw-"),
    ("\U0001f4e7", b"&2D3c5w-"),
    ("a\nb", b"a&AAo-b"),
    ("\x7f", b"&AH8-"),
    ("Отправленные", b"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
]


@pytest.mark.parametrize(("name", "octets"), PAIRS)
def test_names_are_written_and_read(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@pytest.mark.parametrize("octets", [b"INBOX", b"inbox", b"InBoX"])
def test_inbox_is_inbox_in_any_case(octets: bytes) -> None:
    """RFC 3501 section 5.1."""
    assert decode(octets) == "INBOX"


def test_other_names_keep_their_case() -> None:
    assert decode(b"Inbox2") == "Inbox2"
    assert decode(b"Work/inbox") == "Work/inbox"


@pytest.mark.parametrize(
    "octets",
    [
        b"&",
        b"a&b",
        b"&AP-",  # half a character
        b"&APw",  # no end
        b"&AGEA-",  # printable ASCII in base64
        b"&AGE-",
        b"&ACY-",  # "&" in base64
        b"&APx-",  # bits left over that are not zero
        b"&APw=-",  # padding
        b"&APw-&APw-",  # shifted out and in again
        b"&U/BTFw-",  # "/" of plain base64
        b"&2D0-",  # half a surrogate pair
        b"&3AA-",
        b"& -",
        b"\xff",
        b"Entw\xfcrfe",  # ISO 8859-1
        b"\xed\xa0\x80",  # a surrogate in UTF-8
    ],
)
def test_a_name_in_another_form_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        decode(octets)


def test_an_error_says_where_in_the_name_it_is() -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        decode(b"abc&!-")
    assert caught.value.offset == 3


def test_utf_8_is_taken_as_it_is() -> None:
    assert decode("Entwürfe & mehr".encode()) == "Entwürfe & mehr"


def test_a_lone_surrogate_is_written_as_unknown() -> None:
    assert decode(encode("a\ud800b")) == "a\N{REPLACEMENT CHARACTER}b"


@given(names)
def test_what_is_written_reads_back(name: str) -> None:
    octets = encode(name)
    assert octets.isascii()
    assert all(0x20 <= octet < 0x7F for octet in octets)
    assert decode(octets) == ("INBOX" if name.upper() == "INBOX" else name)


@given(st.binary(max_size=20) | st.text("&-+,AaPpw9 ", max_size=20).map(str.encode))
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        name = decode(octets)
    except ProtocolSyntaxError:
        return
    if octets.isascii() and octets.decode().isprintable() and name != "INBOX":
        assert encode(name) == octets

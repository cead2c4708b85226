"""How values are written: RFC 3501 section 9."""

import pytest

from maildrop.imap.wire.syntax import (
    RECENT,
    SYSTEM_FLAG_LISTS,
    astring,
    literal,
    mailbox,
    nstring,
    quoted,
    string,
)
from maildrop.message.flags import ANSWERED, SEEN


def test_quotes_and_backslashes_are_escaped() -> None:
    assert quoted(rb'a"b\c') == rb'"a\"b\\c"'


def test_a_literal_says_its_size() -> None:
    assert literal(b"a\r\n") == b"{3}\r\na\r\n"
    assert literal(b"") == b"{0}\r\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"", b'""'),
        (b"a b", b'"a b"'),
        (b"a\nb", b"{3}\r\na\nb"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"\xfc", b"{1}\r\n\xfc"),
        (b"x" * 1024, b'"%b"' % (b"x" * 1024)),
        (b"x" * 1025, b"{1025}\r\n%b" % (b"x" * 1025)),
    ],
)
def test_a_string_is_quoted_if_it_can_be(value: bytes, written: bytes) -> None:
    assert string(value) == written
    assert nstring(value) == written


def test_nothing_is_nil() -> None:
    assert nstring(None) == b"NIL"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"Sent", b"Sent"),
        (b"Sent Items", b'"Sent Items"'),
        (b"", b'""'),
        (b"nil", b'"nil"'),
        (b"50%", b'"50%"'),
        (b"\xfc", b"{1}\r\n\xfc"),
    ],
)
def test_an_astring_is_an_atom_if_it_can_be(value: bytes, written: bytes) -> None:
    assert astring(value) == written


def test_a_mailbox_is_written_in_modified_utf_7() -> None:
    assert mailbox("Entwürfe") == b"Entw&APw-rfe"
    assert mailbox("Entwürfe (alt)") == b'"Entw&APw-rfe (alt)"'


def test_there_is_a_list_for_every_combination_of_flags() -> None:
    assert len(SYSTEM_FLAG_LISTS) == 64
    assert SYSTEM_FLAG_LISTS[0] == b""
    assert SYSTEM_FLAG_LISTS[SEEN] == rb"\Seen"
    assert set(SYSTEM_FLAG_LISTS[SEEN | ANSWERED | RECENT].split()) == {
        rb"\Seen",
        rb"\Answered",
        rb"\Recent",
    }

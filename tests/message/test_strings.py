"""Strings as IMAP writes them: RFC 3501 section 9."""

import pytest

from maildrop.message.strings import human, nstring


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"NIL", b'"NIL"'),
        (b"text", b'"text"'),
        (b"two  spaces ", b'"two  spaces "'),
        (b"tab\t", b'"tab\t"'),
        (b'"', b'"\\""'),
        (b"\\", b'"\\\\"'),
        (b'""""', b'"\\"\\"\\"\\""'),
        (b'"""""', b'{5}\r\n"""""'),
        (b"\xc3\xbc", b"{2}\r\n\xc3\xbc"),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"a\0b", b"{5}\r\na\xef\xbf\xbdb"),
    ],
)
def test_nstring(value: bytes | None, written: bytes) -> None:
    assert nstring(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, b"NIL"),
        (b"", b'""'),
        (b"  \t", b'""'),
        (b"a b", b'"a b"'),
        (b" a", b"{1}\r\na"),
        (b"a ", b"{1}\r\na"),
        (b"a  b", b"{3}\r\na b"),
        (b"a\n b", b"{3}\r\na b"),
        (b"a\tb", b"{3}\r\na b"),
        (b'a "b"', b'{5}\r\na "b"'),
        (b"\xc3\xbc", b"{2}\r\n\xc3\xbc"),
        (b"\0", b"{3}\r\n\xef\xbf\xbd"),
        (b"\x0b", b'"\x0b"'),
    ],
)
def test_human_text_has_single_spaces(value: bytes | None, written: bytes) -> None:
    assert human(value) == written

"""ETRN (RFC 1985 section 5.1)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.etrn import Etrn, etrn


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"example.net", Etrn("example.net", below=False)),
        (b"@Example.NET", Etrn("example.net", below=True)),
        (b"x", Etrn("x", below=False)),
    ],
)
def test_a_domain_and_what_is_below_it(argument: bytes, expected: Etrn) -> None:
    assert etrn(argument) == expected


@pytest.mark.parametrize(
    "argument", [b"", b"#queue", b"@", b"a..b", b"a b", b".a", b"a.", b"\xff", b"a\0"]
)
def test_what_is_no_domain_is_refused(argument: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        etrn(argument)


@given(st.binary(max_size=40))
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        found = etrn(octets)
    except ProtocolSyntaxError:
        return
    assert found.domain.isascii()
    assert found.domain.isprintable()

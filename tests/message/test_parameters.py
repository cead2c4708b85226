"""MIME fields and their parameters: RFC 2045 section 5.1, RFC 2183, RFC 2231."""

import pytest
from hypothesis import given, strategies as st

from maildrop.message.limits import Limits
from maildrop.message.parameters import (
    Parameters,
    decoded,
    disposition,
    encoding,
    languages,
    media_type,
    parameter,
)


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        (b"text/plain", []),
        (b"text/plain;", []),
        (b"text/plain; charset=utf-8", [(b"charset", b"utf-8")]),
        (b'text/plain; charset="utf-8"', [(b"charset", b"utf-8")]),
        (b"text/plain ; a=b ; c=d", [(b"a", b"b"), (b"c", b"d")]),
        (b"(x) text (y) / (z) plain (w); a (v) = (u) b", [(b"a", b"b")]),
        (b'text/plain; name="a\\"b\\\\c; d"', [(b"name", b'a"b\\c; d')]),
        (b'text/plain; name="a\n b"', [(b"name", b"a b")]),
        (b'text/plain; name="\0"', [(b"name", b"\xef\xbf\xbd")]),
        (b"text/plain; name=\xc3\xbc", [(b"name", b"\xc3\xbc")]),
        (b"text/plain; name=", [(b"name", b"")]),
        (b"text/plain; name==?utf-8?q?a?=", [(b"name", b"=?utf-8?q?a?=")]),
        # Broken ones are passed over.
        (b"text/plain; name=a/b; c=d", [(b"name", b"a"), (b"c", b"d")]),
        (b"text/plain; nonsense here; c=d", [(b"c", b"d")]),
        (b'text/plain; c=d; name="never closed', [(b"c", b"d")]),
        (b"text/plain; c=d (never closed", []),
        # RFC 2231 section 3
        (
            b'text/plain; url*0="ftp://"; a=b; url*1="cs.utk.edu/"',
            [(b"a", b"b"), (b"url", b"ftp://cs.utk.edu/")],
        ),
        (b"text/plain; x*1=b; x*0=a", [(b"x", b"ab")]),
        # RFC 2231 section 4
        (
            b"text/plain; title*=us-ascii'en-us'This%20is",
            [(b"title*", b"us-ascii'en-us'This%20is")],
        ),
        # RFC 2231 section 4.1
        (
            b"text/plain; title*0*=us-ascii'en'This%20is%20; title*1*=%2A; "
            b'title*2="100%!"',
            [(b"title*", b"us-ascii'en'This%20is%20%2A100%25!")],
        ),
        (b"text/plain; t*0=a; t*1*=%20", [(b"t*", b"''a%20")]),
        # With a gap they stay apart.
        (b"text/plain; x*0=a; x*2*=c", [(b"x*0", b"a"), (b"x*2*", b"c")]),
        (b"text/plain; x*y=a", [(b"x*y", b"a")]),
    ],
)
def test_parameters_are_read(value: bytes, parameters: Parameters) -> None:
    assert media_type(value) == (b"text", b"plain", parameters)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text",
        b"text/",
        b"/plain",
        b"text/plain charset=utf-8",
        b"text plain",
        b"/",
        b"(",
        b"te xt/plain",
        b'"text"/plain',
        b"text/plain/x",
        b"; charset=utf-8",
    ],
)
def test_what_is_no_type_is_none(value: bytes) -> None:
    """RFC 2045 section 5.2: it counts as text/plain then."""
    assert media_type(value) is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"inline", (b"inline", [])),
        (
            b"attachment; filename=genome.jpeg;\n size=100",
            (b"attachment", [(b"filename", b"genome.jpeg"), (b"size", b"100")]),
        ),
        (b"; filename=x", (b"", [(b"filename", b"x")])),
        (b"inline (never closed", None),
    ],
)
def test_dispositions(value: bytes, found: tuple[bytes, Parameters] | None) -> None:
    """RFC 2183 section 2."""
    assert disposition(value) == found


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"base64", b"base64"),
        (b" (x) BASE64 (y) ", b"BASE64"),
        (b"7bit;", None),
        (b"", None),
        (b"quoted printable", None),
        (b"x (", None),
    ],
)
def test_encodings_are_one_token(value: bytes, token: bytes | None) -> None:
    assert encoding(value) == token


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (b"en", [b"en"]),
        (b"da, mi, i-klingon (Klingon)", [b"da", b"mi", b"i-klingon"]),
        (b"", []),
        (b",en", []),
        (b"en de", [b"en"]),
    ],
)
def test_languages(value: bytes, tags: list[bytes]) -> None:
    """RFC 3282 section 2."""
    assert languages(value) == tags


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ([(b"filename", b"a.txt")], "a.txt"),
        ([(b"FileName", b"a.txt")], "a.txt"),
        ([(b"filename*", b"utf-8'de'Gr%C3%BC%C3%9Fe")], "Grüße"),
        ([(b"filename*", b"''Gr%C3%BC%C3%9Fe")], "Grüße"),
        ([(b"filename*", b"iso-8859-1''%A3 rates")], "£ rates"),
        ([(b"filename", b"fallback"), (b"filename*", b"utf-8''%41")], "A"),
        ([(b"filename", b"=?utf-8?q?=C3=BC?=")], "ü"),
        ([(b"filename*", b"no%20quotes")], "no quotes"),
        ([(b"name", b"x")], None),
    ],
)
def test_a_parameter_as_text(parameters: Parameters, text: str | None) -> None:
    assert decoded(parameters, b"filename") == text


def test_the_first_of_two_counts() -> None:
    assert parameter([(b"A", b"1"), (b"a", b"2")], b"a") == b"1"


def test_parameters_over_the_limit_are_left_out() -> None:
    value = b"text/plain" + b"; a=b" * 50
    found = media_type(value, Limits(parameters=4))
    assert found
    assert found[2] == [(b"a", b"b")] * 4
    assert languages(b"en," * 50, Limits(parameters=4)) == [b"en"] * 4


PIECES = st.sampled_from(
    [
        b"text",
        b"/",
        b";",
        b"=",
        b'"',
        b"(",
        b")",
        b"\\",
        b"a",
        b"*",
        b"*0",
        b"*1*",
        b"%",
        b" ",
        b"\n ",
        b"\x00",
        b"\xff",
        b"; a*0=b",
        b"; a=b",
        b"text/plain",
    ]
)


@given(st.lists(PIECES, max_size=25).map(b"".join))
def test_any_octets_are_read_or_not(value: bytes) -> None:
    for found in (media_type(b"a/b;" + value), media_type(value)):
        if found:
            decoded(found[2], b"a")
    disposition(value)
    assert encoding(value) != b""
    assert b"" not in languages(value)


@pytest.mark.parametrize(
    "value",
    [
        b"a/b" + b";" * 300_000,
        b"a/b" + b";a" * 300_000,
        b"a/b" + b";a=" * 300_000,
        b"a/b;a=" + b'"' * 500_000,
        b"a/b;" + b"(" * 1_000_000,
        b"a/b;x" + b"*0" * 300_000 + b"=a",
    ],
    ids=lambda value: repr(value[:9]),
)
def test_a_megabyte_of_hostile_octets_is_gone_through_once(value: bytes) -> None:
    found = media_type(value)
    assert found is None or len(found[2]) <= Limits().parameters

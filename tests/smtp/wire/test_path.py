"""Paths: the addresses of MAIL and RCPT."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.path import Path, forward_path, reverse_path


@pytest.mark.parametrize(
    ("octets", "path"),
    [
        (b"<user@example.org>", Path("user", "example.org")),
        (b"<User+x@Example.ORG>", Path("User+x", "Example.ORG")),
        (b"<@a.example,@b.example:user@c.example>", Path("user", "c.example")),
        (b'<"a b"@example.org>', Path("a b", "example.org")),
        (b'<"a\\"\\\\b"@example.org>', Path('a"\\b', "example.org")),
        (b'<""@example.org>', Path("", "example.org")),
        (b'<"plain"@example.org>', Path("plain", "example.org")),
        (b"<user@[192.0.2.1]>", Path("user", "[192.0.2.1]")),
        (b"<user@[IPv6:2001:db8::1]>", Path("user", "[IPv6:2001:db8::1]")),
        (b"<postmaster>", Path("postmaster", "")),
        (b"user@example.org", Path("user", "example.org")),
        (b"user", Path("user", "")),
        (b"<a..b.@my_host>", Path("a..b.", "my_host")),
        ("<jörg@exämple.org>".encode(), Path("jörg", "exämple.org")),
        (b"<!#$%&'*+-/=?^_`{|}~@x>", Path("!#$%&'*+-/=?^_`{|}~", "x")),
    ],
)
def test_an_address_is_understood(octets: bytes, path: Path) -> None:
    """RFC 5321 section 4.1.2, 4.1.3, and what clients send beyond it."""
    assert forward_path(octets) == (path, len(octets))
    assert forward_path(octets + b" SIZE=1") == (path, len(octets))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<>",
        b"<@>",
        b"<user@>",
        b"<user@example.org",
        b"user@example.org>",
        b"<user@example.org>x",
        b"<us er@example.org>",
        b"<a@b@c>",
        b"<user@-x.org>",
        b"<user@x-.org>",
        b"<user@x.org.>",
        b"<user@x..org>",
        b"<user@[192.0.2.999]>",
        b"<user@[IPv6:zz]>",
        b"<user@[192.0.2.1>",
        b'<"a\x01b"@example.org>',
        b'<"a@example.org>',
        b"<a\x7f@example.org>",
        b"<a\xff@example.org>",
        "<a\x85b@example.org>".encode(),
        "<a\u2028b@example.org>".encode(),
        b"<" + b"a" * 256 + b"@example.org>",
        b"<a@" + b"a" * 256 + b">",
    ],
)
def test_what_is_no_address_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        forward_path(octets)


def test_only_a_sender_may_be_null() -> None:
    """RFC 5321 section 4.5.5."""
    assert reverse_path(b"<> BODY=7BIT") == (None, 2)
    assert reverse_path(b"<a@b>") == (Path("a", "b"), 5)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (Path("user", "example.org"), "user@example.org"),
        (Path("a b", "x"), '"a b"@x'),
        (Path('a"\\', "x"), '"a\\"\\\\"@x'),
        (Path("a..b", "x"), '"a..b"@x'),
        (Path("", "x"), '""@x'),
        (Path("root", ""), "root"),
    ],
)
def test_a_path_is_written_with_the_quotes_it_needs(path: Path, text: str) -> None:
    assert str(path) == text


locals_ = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(locals_, st.sampled_from(["example.org", "[192.0.2.1]", "x"]))
def test_what_is_written_reads_back(local: str, domain: str) -> None:
    path = Path(local, domain)
    assert forward_path(f"<{path}>".encode())[0] == path


@given(st.binary(max_size=60))
def test_any_octets_are_an_address_or_refused(octets: bytes) -> None:
    try:
        path, end = forward_path(b"<" + octets)
    except ProtocolSyntaxError:
        return
    assert end <= len(octets) + 1
    assert (path.local + path.domain).isprintable()

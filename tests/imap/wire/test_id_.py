"""ID: RFC 2971."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire import id_
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.id_ import Id
from maildrop.imap.wire.limits import Limits


def read(octets: bytes) -> Id:
    return id_.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "fields"),
    [
        (b" NIL", ()),
        (b" nil", ()),
        (b" ()", ()),
        (b' ("name" "mutt")', ((b"name", b"mutt"),)),
        (b' ("name" "x" "os" NIL)', ((b"name", b"x"), (b"os", None))),
        (b' ({4}\r\nname "x y")', ((b"name", b"x y"),)),
    ],
)
def test_fields_are_read(
    octets: bytes, fields: tuple[tuple[bytes, bytes | None], ...]
) -> None:
    assert read(octets) == Id(b"a", fields)


@pytest.mark.parametrize(
    "octets",
    [b"", b" x", b' "name"', b' ("name")', b' ("name" "x"', b' (name "x")', b" NILL"],
)
def test_what_is_no_id_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (b' "n" NIL' * 30, b' "n" NIL' * 31),
        (b' "%b" "v"' % (b"n" * 30), b' "%b" "v"' % (b"n" * 31)),
        (b' "n" "%b"' % (b"v" * 1024), b' "n" "%b"' % (b"v" * 1025)),
    ],
)
def test_fields_are_limited(allowed: bytes, refused: bytes) -> None:
    """RFC 2971 section 3.3."""
    assert read(b" (%b)" % allowed.strip()).fields
    with pytest.raises(LimitExceeded):
        read(b" (%b)" % refused.strip())


def test_the_server_may_say_nothing() -> None:
    assert id_.response({}) == b"* ID NIL\r\n"


def test_the_server_says_what_it_is() -> None:
    line = id_.response({b"name": b"maildrop", b"support-url": None})
    assert line == b'* ID ("name" "maildrop" "support-url" NIL)\r\n'


octets = st.binary(min_size=1, max_size=9).map(lambda value: value.replace(b"\0", b"0"))


@given(st.dictionaries(octets, st.none() | octets, min_size=1, max_size=4))
def test_what_is_written_reads_back(fields: dict[bytes, bytes | None]) -> None:
    line = id_.response(fields)
    assert read(line.removeprefix(b"* ID")[:-2]) == Id(b"a", tuple(fields.items()))

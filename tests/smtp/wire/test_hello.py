"""The names clients give themselves."""

import pytest

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.hello import client_name


@pytest.mark.parametrize(
    "name", ["example.org", "[192.0.2.1]", "my_pc", "192.0.2.1", "bücher.example"]
)
def test_a_printable_word_is_a_name(name: str) -> None:
    assert client_name(name.encode()) == name


@pytest.mark.parametrize(
    "argument", [b"", b"two words", b"a\x07b", b"\xff", b'"x"', b"x" * 256]
)
def test_anything_else_is_refused(argument: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        client_name(argument)

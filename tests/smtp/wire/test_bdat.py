"""BDAT's argument."""

import pytest

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.bdat import Bdat, bdat


@pytest.mark.parametrize(
    ("argument", "command"),
    [
        (b"0", Bdat(0, last=False)),
        (b"1000 LAST", Bdat(1000, last=True)),
        (b"1000  last", Bdat(1000, last=True)),
    ],
)
def test_a_size_and_perhaps_last(argument: bytes, command: Bdat) -> None:
    """RFC 3030 section 2."""
    assert bdat(argument) == command


@pytest.mark.parametrize(
    "argument", [b"", b"LAST", b"-1", b"1 2", b"1LAST", b"0x10", b"9" * 19]
)
def test_anything_else_is_refused(argument: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        bdat(argument)

"""ENABLE: RFC 5161 section 3."""

import pytest

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire import enable
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.enable import Enable
from maildrop.imap.wire.limits import Limits


def read(octets: bytes, **limits: int) -> Enable:
    return enable.parse(b"a", Arguments(octets, 0, Limits(**limits)))


def test_capabilities_are_read_in_upper_case() -> None:
    assert read(b" condstore UTF8=ACCEPT ") == Enable(
        b"a", (b"CONDSTORE", b"UTF8=ACCEPT")
    )


@pytest.mark.parametrize("octets", [b"", b" ", b" (A)", b"  A", b' "A"', b" A  B"])
def test_what_is_no_enable_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_capabilities_are_limited() -> None:
    assert len(read(b" a b c", items=3).capabilities) == 3
    with pytest.raises(LimitExceeded):
        read(b" a b c d", items=3)


def test_what_is_on_is_told() -> None:
    assert enable.enabled([b"CONDSTORE", b"X"]) == b"* ENABLED CONDSTORE X\r\n"
    assert enable.enabled([]) == b"* ENABLED\r\n"

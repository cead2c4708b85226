"""LOGIN, as old clients speak it."""

import pytest

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.sasl.exchange import Credentials
from maildrop.sasl.login import Login


def test_name_and_password_come_one_after_the_other() -> None:
    exchange = Login(None)
    assert exchange.step == b"Username:"
    assert exchange.respond(b"tim") == b"Password:"
    assert exchange.respond(b"x") == Credentials("tim", "tim", "x")


def test_the_name_may_come_with_the_command() -> None:
    exchange = Login(b"tim")
    assert exchange.step == b"Password:"


def test_an_empty_initial_response_is_none() -> None:
    assert Login(b"").step == b"Username:"


@pytest.mark.parametrize("name", [b"", b"\xff", b"a\x07"])
def test_a_bad_name_is_refused_at_once(name: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        Login(None).respond(name)


def test_parts_over_their_limits_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        Login(b"abc", name_octets=2)
    with pytest.raises(LimitExceeded):
        Login(b"ab", password_octets=2).respond(b"abc")

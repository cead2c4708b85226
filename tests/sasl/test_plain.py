"""PLAIN: RFC 4616."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import (
    AuthenticationFailed,
    LimitExceeded,
    MaildropError,
    ProtocolSyntaxError,
)
from maildrop.sasl.exchange import Credentials
from maildrop.sasl.plain import Plain, credentials, parse


@pytest.mark.parametrize(
    ("message", "name", "password"),
    [
        (b"\0tim\0tanstaaftanstaaf", "tim", "tanstaaftanstaaf"),
        (b"tim\0tim\0x", "tim", "x"),  # mutt and mbsync name themselves twice
        ("\0jörg\0pässword".encode(), "jörg", "pässword"),
        ("jo\u0308rg\0jörg\0x".encode(), "jörg", "x"),  # compared when prepared
        (b"\0tim\0\xff\xfe", "tim", "\udcff\udcfe"),  # an old client's Latin-1
        (b"\0tim\0 x ", "tim", " x "),
    ],
)
def test_a_message_gives_name_and_password(
    message: bytes, name: str, password: str
) -> None:
    """RFC 4616 section 2 and 4."""
    assert parse(message) == Credentials(name, name, password)


@pytest.mark.parametrize(
    "message",
    [b"", b"tim", b"\0tim", b"\0\0x", b"\0tim\0", b"\0tim\0a\0b", b"\0\xff\0x"],
)
def test_a_message_of_another_shape_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        parse(message)


def test_acting_for_another_user_is_refused() -> None:
    with pytest.raises(AuthenticationFailed):
        parse(b"root\0tim\0x")


def test_parts_over_their_limits_are_refused() -> None:
    assert parse(b"\0ab\0cd", name_octets=2, password_octets=2).password == "cd"
    with pytest.raises(LimitExceeded):
        parse(b"\0abc\0cd", name_octets=2)
    with pytest.raises(LimitExceeded):
        parse(b"\0ab\0cde", password_octets=2)


def test_without_initial_response_the_challenge_is_empty() -> None:
    exchange = Plain(None)
    assert exchange.step == b""
    assert exchange.respond(b"\0tim\0x") == Credentials("tim", "tim", "x")


def test_with_initial_response_it_ends_at_once() -> None:
    assert Plain(b"\0tim\0x").step == Credentials("tim", "tim", "x")


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(credentials(b"tim", b"secret"))


@settings(max_examples=80)
@given(st.binary(max_size=40))
def test_any_octets_parse_or_are_refused(message: bytes) -> None:
    try:
        found = parse(message)
    except MaildropError:
        return
    assert found.authentication == found.authorization
    assert found.password

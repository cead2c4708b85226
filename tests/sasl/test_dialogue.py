"""Exchanges in lines of base64: RFC 4422, RFC 5034 section 4, RFC 4954 section 4."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import LimitExceeded, MaildropError, ProtocolSyntaxError
from maildrop.sasl.dialogue import Dialogue, initial_response
from maildrop.sasl.exchange import Cancelled, Credentials
from maildrop.sasl.mechanisms import MECHANISMS, ScramSource, UnknownMechanism, start
from maildrop.sasl.scram import ScramKeys


def test_challenges_are_sent_in_base64() -> None:
    dialogue = Dialogue(start("LOGIN", None))
    assert dialogue.challenge() == b"VXNlcm5hbWU6"
    dialogue.respond(b"dGlt")
    assert dialogue.challenge() == b"UGFzc3dvcmQ6"
    assert dialogue.respond(b"eA==") == Credentials("tim", "tim", "x")
    assert dialogue.step == Credentials("tim", "tim", "x")
    assert dialogue.challenge() == b""


def test_a_star_cancels() -> None:
    with pytest.raises(Cancelled):
        Dialogue(start("PLAIN", None)).respond(b"*")


def test_a_line_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        Dialogue(start("PLAIN", None), octets=8).respond(b"A" * 12)


def test_an_equals_sign_is_an_empty_initial_response() -> None:
    assert initial_response(b"=") == b""
    assert initial_response(b"dGlt") == b"tim"
    with pytest.raises(ProtocolSyntaxError):
        initial_response(b"==")


def test_mechanisms_are_named_in_any_case() -> None:
    assert start("plain", None).step == b""
    with pytest.raises(UnknownMechanism):
        start("CRAM-MD5", None)
    with pytest.raises(UnknownMechanism):
        start("SCRAM-SHA-256", None)  # without keys


SCRAM = ScramSource(
    lambda algorithm, name: ScramKeys.of(algorithm, name.encode(), b"salt", 1),
    lambda: b"nonce",
)


@settings(max_examples=60)
@given(st.sampled_from(MECHANISMS), st.lists(st.binary(max_size=30), max_size=4))
def test_any_lines_end_in_an_outcome_or_are_refused(
    name: str, lines: list[bytes]
) -> None:
    dialogue = Dialogue(start(name, None, SCRAM))
    for line in lines:
        if not isinstance(dialogue.step, bytes):
            break
        try:
            dialogue.respond(line)
        except MaildropError:
            break
    assert isinstance(dialogue.step, bytes | Credentials)

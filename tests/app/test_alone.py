"""Delivery in a process of its own."""

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import Deferred

from maildrop.app.alone import Stripped, at_once, check_loop
from maildrop.errors import MailLoop
from maildrop.smtp.wire.path import Path

ANN = Path("ann", "example.org")
BODY = b"\r\nbody\r\n"


@pytest.mark.parametrize(
    ("message", "kept", "sender"),
    [
        (b"Subject: a\n\nbody\n", b"Subject: a\r\n", None),
        (b"Subject: a\r\n\r\nbody\r\n", b"Subject: a\r\n", None),
        # local(8) and pipe(8) of Postfix
        (
            b"From joe@far.example  Thu Jan  1 00:00:00 2026\n"
            b"Return-Path: <joe@far.example>\nX-Original-To: team@example.org\n"
            b"Delivered-To: ann@example.org\nReceived: by x\n\nbody\n",
            b"X-Original-To: team@example.org\r\nReceived: by x\r\n",
            Path("joe", "far.example"),
        ),
        (
            b"Delivered-To: team@example.org\nReceived: by x\n\nbody\n",
            b"Delivered-To: team@example.org\r\nReceived: by x\r\n",
            None,
        ),
        # Exim's pipe transport
        (
            b"From joe@far.example Thu Jan 01 00:00:00 2026\n"
            b"Return-path: <joe@far.example>\nEnvelope-to: ann@example.org\n"
            b"Delivery-date: x\n\nbody\n",
            b"Envelope-to: ann@example.org\r\nDelivery-date: x\r\n",
            Path("joe", "far.example"),
        ),
        (b"Return-Path: <>\nA: b\n\nbody\n", b"A: b\r\n", None),
        (b"From MAILER-DAEMON Thu\nA: b\n\nbody\n", b"A: b\r\n", None),
        (b"Return-Path: what is this\nA: b\n\nbody\n", b"A: b\r\n", None),
        # behind the first Received it is none of ours
        (
            b"Received: by x\nReturn-Path: <a@b>\n\nbody\n",
            b"Received: by x\r\nReturn-Path: <a@b>\r\n",
            None,
        ),
    ],
)
def test_what_the_caller_put_at_the_top_is_taken_off(
    message: bytes, kept: bytes, sender: Path | None
) -> None:
    stripped = Stripped.of(message, ANN)
    assert stripped == Stripped(kept + BODY, kept, sender)


@given(st.binary(max_size=200))
def test_any_octets_are_a_message(octets: bytes) -> None:
    stripped = Stripped.of(octets, ANN)
    assert stripped.message.startswith(stripped.header)


def test_the_caller_s_own_field_is_no_loop_and_an_older_one_is() -> None:
    """RFC 9228; RFC 5321 section 6.3."""
    top = b"Delivered-To: ann@example.org\n"
    check_loop(Stripped.of(top + b"Received: x\n\n", ANN).header, ANN)
    for looping in (b"Received: x\n" + top, b"Received: x\n" * 101):
        with pytest.raises(MailLoop):
            check_loop(Stripped.of(looping + b"\n", ANN).header, ANN)


def test_work_that_waits_is_an_error() -> None:
    async def waits() -> None:
        await Deferred()

    async def does_not() -> int:
        return 7

    assert at_once(does_not()) == 7
    with pytest.raises(RuntimeError):
        at_once(waits())

"""AUTH: SASL in POP3, RFC 5034 section 4.

In this file:
    auth       the command
    respond    a line of the exchange

``AUTH`` alone lists the mechanisms, as servers did before CAPA; old clients ask so.
"""

from collections.abc import Coroutine
from typing import Any

from maildrop.errors import AuthenticationFailed, LimitExceeded, ProtocolSyntaxError
from maildrop.pop3.commands.login import log_in, refuse
from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END
from maildrop.pop3.wire.replies import challenge, err, ok
from maildrop.sasl.dialogue import Dialogue, initial_response
from maildrop.sasl.exchange import Cancelled, Step
from maildrop.sasl.mechanisms import UnknownMechanism


def auth(session: Session, command: Command) -> Coroutine[Any, Any, None] | None:
    """Begin an exchange, or list the mechanisms."""
    judge = session.services.judge
    session.user = None
    if not command.text:
        names = (name.encode() for name in judge.mechanisms(session.secure))
        listed = b"".join(b"%b\r\n" % name for name in names)
        session.write(ok(b"Mechanisms follow") + listed + END)
        return None
    try:
        initial = None
        if command.initial is not None:
            initial = initial_response(command.initial)
        exchange = judge.exchange(command.text.decode(), initial, secure=session.secure)
    except UnknownMechanism:
        session.write(err(b"Mechanism not offered"))
        return None
    except (ProtocolSyntaxError, LimitExceeded):
        malformed(session)
        return None
    except AuthenticationFailed as error:
        refuse(session, error)
        return None
    session.dialogue = Dialogue(exchange, command.text.decode().upper())
    return _go_on(session, exchange.step)


def respond(session: Session, line: bytes) -> Coroutine[Any, Any, None] | None:
    """Take the client's line."""
    dialogue = session.dialogue
    if dialogue is None:
        raise RuntimeError("a response without an exchange")
    try:
        step = dialogue.respond(line)
    except Cancelled:
        session.dialogue = None
        session.write(err(b"Cancelled"))
        return None
    except (ProtocolSyntaxError, LimitExceeded):
        malformed(session)
        return None
    except AuthenticationFailed as error:
        session.dialogue = None
        refuse(session, error)
        return None
    return _go_on(session, step)


def _go_on(session: Session, step: Step) -> Coroutine[Any, Any, None] | None:
    if isinstance(step, bytes) and session.dialogue is not None:
        session.write(challenge(session.dialogue.challenge()))
        session.connection.expect_response()
        return None
    dialogue, session.dialogue = session.dialogue, None
    if isinstance(step, bytes) or dialogue is None:
        raise RuntimeError("no exchange, or a challenge without one")
    return log_in(session, step, dialogue.mechanism)


def malformed(session: Session) -> None:
    """The exchange ends by a line that is no response."""
    session.dialogue = None
    session.write(err(b"Malformed response"))
    session.went_wrong()

"""PASS: RFC 1939 section 7."""

from collections.abc import Coroutine
from typing import Any

from maildrop.errors import AuthenticationFailed, LimitExceeded, ProtocolSyntaxError
from maildrop.pop3.commands.login import log_in, refuse
from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import err
from maildrop.sasl.plain import credentials


def pass_(session: Session, command: Command) -> Coroutine[Any, Any, None] | None:
    """Log in with the name that USER gave."""
    name, session.user = session.user, None
    if name is None:
        session.write(err(b"USER first"))
        return None
    try:
        outcome = credentials(name, command.text)
    except (ProtocolSyntaxError, LimitExceeded):
        refuse(session, AuthenticationFailed("malformed name or password"))
        return None
    return log_in(session, outcome, "PASS")

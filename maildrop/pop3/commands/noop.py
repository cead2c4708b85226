"""NOOP: RFC 1939 section 5."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import ok


def noop(session: Session, command: Command) -> None:
    """Do nothing."""
    del command
    session.write(ok(b"Nothing done"))

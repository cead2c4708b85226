"""DELE: RFC 1939 section 5."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import ok


def dele(session: Session, command: Command) -> None:
    """Mark a message as deleted; it goes at QUIT."""
    session.snapshot.delete(command.number or 0)
    session.write(ok(b"Marked"))

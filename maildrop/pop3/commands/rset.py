"""RSET: RFC 1939 section 5."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import ok


def rset(session: Session, command: Command) -> None:
    """Take all marks away."""
    del command
    session.snapshot.reset()
    session.write(ok(b"%d messages" % session.snapshot.count))

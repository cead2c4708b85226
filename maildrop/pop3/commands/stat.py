"""STAT: RFC 1939 section 5."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command


def stat(session: Session, command: Command) -> None:
    """Tell how many messages there are, and their octets."""
    del command
    snapshot = session.snapshot
    count = snapshot.count - snapshot.deleted
    session.write(b"+OK %d %d\r\n" % (count, snapshot.octets))

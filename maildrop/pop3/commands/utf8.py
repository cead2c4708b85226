"""UTF8: RFC 6856 section 2."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import ok


def utf8(session: Session, command: Command) -> None:
    """The client takes UTF-8 anywhere; messages are sent as they are in any case."""
    del command
    session.utf8 = True
    session.write(ok(b"UTF-8"))

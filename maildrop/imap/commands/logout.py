"""LOGOUT: the client goes."""

from maildrop.imap import respond
from maildrop.imap.session import Session
from maildrop.imap.wire import logout as wire, responses


async def logout(session: Session, command: wire.Logout) -> None:
    """LOGOUT: RFC 3501 section 6.1.3."""
    session.bye(respond.LOGOUT + responses.ok(command.tag, b"Logout completed"))

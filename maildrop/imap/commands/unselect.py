"""UNSELECT: leave the mailbox and remove nothing."""

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, unselect as wire


async def unselect(session: Session, command: wire.Unselect) -> bytes:
    """UNSELECT: RFC 3691."""
    await session.deselect()
    return responses.ok(command.tag, b"Unselect completed")

"""UNSUBSCRIBE: take a mailbox from the subscriptions."""

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, unsubscribe as wire


async def unsubscribe(session: Session, command: wire.Unsubscribe) -> bytes:
    """UNSUBSCRIBE: RFC 3501 section 6.3.7."""
    await session.mail.unsubscribe(session.name(command.mailbox))
    return responses.ok(command.tag, b"Unsubscribe completed")

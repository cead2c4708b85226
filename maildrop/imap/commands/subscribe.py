"""SUBSCRIBE: add a mailbox to the subscriptions."""

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, subscribe as wire


async def subscribe(session: Session, command: wire.Subscribe) -> bytes:
    """SUBSCRIBE: RFC 3501 section 6.3.6; the mailbox need not exist."""
    await session.mail.subscribe(session.name(command.mailbox))
    return responses.ok(command.tag, b"Subscribe completed")

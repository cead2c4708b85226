"""CHECK: housekeeping."""

from maildrop.imap.session import Session
from maildrop.imap.wire import check as wire, responses


async def check(session: Session, command: wire.Check) -> bytes:
    """CHECK: RFC 3501 section 6.4.1; what the store has put off is done now."""
    await session.mailbox.mailbox.settle()
    return responses.ok(command.tag, b"Check completed")

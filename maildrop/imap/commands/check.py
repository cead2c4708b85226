"""CHECK: housekeeping, which is never put off here."""

from maildrop.imap.session import Session
from maildrop.imap.wire import check as wire, responses


async def check(_: Session, command: wire.Check) -> bytes:
    """CHECK: RFC 3501 section 6.4.1; the news are told after every command."""
    return responses.ok(command.tag, b"Check completed")

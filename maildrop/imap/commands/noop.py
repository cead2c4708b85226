"""NOOP: nothing, but a chance to hear news."""

from maildrop.imap.session import Session
from maildrop.imap.wire import noop as wire, responses


async def noop(session: Session, command: wire.Noop) -> bytes:
    """NOOP: RFC 3501 section 6.1.2; the news are told after every command."""
    if session.selected is not None:
        session.selected.forget()  # a client that says NOOP has nothing else to do
    return responses.ok(command.tag, b"Noop completed")

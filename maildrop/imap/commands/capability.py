"""CAPABILITY: what the server can do."""

from maildrop.imap.capabilities import capabilities
from maildrop.imap.session import Session
from maildrop.imap.wire import capability as wire, responses


async def capability(session: Session, command: wire.Capability) -> bytes:
    """CAPABILITY: RFC 3501 section 6.1.1."""
    session.write(wire.response(capabilities(session)))
    return responses.ok(command.tag, b"Capability completed")

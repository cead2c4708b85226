"""NAMESPACE: where mailboxes are."""

from maildrop.imap.session import Session
from maildrop.imap.wire import namespace as wire, responses


async def namespace(session: Session, command: wire.Namespace) -> bytes:
    """NAMESPACE: RFC 2342; there are no mailboxes but the user's own."""
    own = session.site.namespace
    session.write(wire.response([(own.prefix, own.separator)]))
    return responses.ok(command.tag, b"Namespace completed")

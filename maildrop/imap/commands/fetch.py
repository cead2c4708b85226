"""FETCH and UID FETCH: read messages."""

from maildrop.errors import MessageExpunged
from maildrop.imap.fetching import send
from maildrop.imap.session import Session
from maildrop.imap.wire import fetch as wire, responses


async def fetch(session: Session, command: wire.Fetch) -> bytes:
    """FETCH: RFC 3501 section 6.4.5; expunged messages: RFC 2180 section 4.1.3."""
    selected = session.mailbox
    spans = selected.spans(command.messages, uid=command.uid)
    missing = await send(session, selected, spans, command.items)
    if missing and not command.uid:
        raise MessageExpunged("FETCH of expunged messages")
    return responses.ok(command.tag, b"Fetch completed")

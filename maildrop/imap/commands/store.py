"""STORE and UID STORE: change flags."""

from maildrop.errors import AccessDenied, MessageExpunged
from maildrop.imap.fetching import send
from maildrop.imap.session import Session
from maildrop.imap.updates import tell_flags
from maildrop.imap.wire import fetch, responses, store as wire


async def store(session: Session, command: wire.Store) -> bytes:
    """STORE: RFC 3501 section 6.4.6; expunged messages: RFC 2180 section 4.2."""
    selected = session.mailbox
    spans = selected.spans(command.messages, uid=command.uid)
    if selected.read_only:
        raise AccessDenied("STORE in a read-only mailbox")
    uids = selected.uids(spans)
    if uids:
        await selected.mailbox.change_flags(uids, command.change, selected.view)
        tell_flags(session, selected)
    if not command.silent and uids:
        items = (fetch.UID, fetch.FLAGS) if command.uid else (fetch.FLAGS,)
        missing = await send(session, selected, spans, items)
        if missing and not command.uid:
            raise MessageExpunged("STORE on expunged messages")
    return responses.ok(command.tag, b"Store completed")

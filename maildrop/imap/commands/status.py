"""STATUS: the numbers of a mailbox."""

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, status as wire


async def status(session: Session, command: wire.Status) -> bytes:
    """STATUS: RFC 3501 section 6.3.10; the selected mailbox may be asked for too."""
    name = session.name(command.mailbox)
    numbers = await session.mail.status(name)
    values = {
        b"MESSAGES": numbers.messages,
        b"RECENT": numbers.recent,
        b"UIDNEXT": numbers.uid_next,
        b"UIDVALIDITY": numbers.uid_validity,
        b"UNSEEN": numbers.unseen,
    }
    written = session.site.namespace.written(name)
    asked = [(item, values[item]) for item in command.items]
    session.write(wire.response(written, asked))
    return responses.ok(command.tag, b"Status completed")

"""STATUS: the numbers of a mailbox."""

from collections.abc import Callable
from typing import Final

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, status as wire
from maildrop.mailbox.table import MessageTable

#: Each is counted only when it is asked for.
_NUMBERS: Final[dict[bytes, Callable[[MessageTable], int]]] = {
    b"MESSAGES": len,
    b"RECENT": MessageTable.recent,
    b"UIDNEXT": lambda table: table.uid_next,
    b"UIDVALIDITY": lambda table: table.uid_validity,
    b"UNSEEN": lambda table: table.unseen,
}


async def status(session: Session, command: wire.Status) -> bytes:
    """STATUS: RFC 3501 section 6.3.10; the selected mailbox may be asked for too."""
    name = session.name(command.mailbox)
    mailbox = await session.mail.open(name)
    values = [(item, _NUMBERS[item](mailbox.table)) for item in command.items]
    await mailbox.leave()
    session.write(wire.response(session.site.namespace.written(name), values))
    return responses.ok(command.tag, b"Status completed")

r"""CLOSE: remove the messages with ``\Deleted`` and leave the mailbox."""

from maildrop.imap.commands.expunge import remove
from maildrop.imap.session import Session
from maildrop.imap.wire import close as wire, responses


async def close(session: Session, command: wire.Close) -> bytes:
    """CLOSE: RFC 3501 section 6.4.2; no EXPUNGE is told, none is made if read-only."""
    selected = session.mailbox
    if not selected.read_only:
        session.counts.expunged += await remove(selected, None)
    await session.deselect()
    return responses.ok(command.tag, b"Close completed")

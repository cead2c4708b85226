"""RENAME: give a mailbox another name."""

from maildrop.imap.commands.create import without_separator
from maildrop.imap.commands.delete import leave_below
from maildrop.imap.session import Session
from maildrop.imap.wire import rename as wire, responses
from maildrop.mailbox.names import INBOX


async def rename(session: Session, command: wire.Rename) -> bytes:
    """RENAME: RFC 3501 section 6.3.5; INBOX stays, and its messages move."""
    name = session.name(command.mailbox)
    new_name = without_separator(session, command.new_mailbox)
    if name != INBOX:
        await leave_below(session, name)
    await session.mail.rename(name, new_name)
    return responses.ok(command.tag, b"Rename completed")

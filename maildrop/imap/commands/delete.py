"""DELETE: remove a mailbox."""

from maildrop.errors import MailboxNotRemovable
from maildrop.imap.commands.select import deselect
from maildrop.imap.session import Session
from maildrop.imap.wire import delete as wire, responses
from maildrop.mailbox.names import INBOX


async def delete(session: Session, command: wire.Delete) -> bytes:
    """DELETE: RFC 3501 section 6.3.4.

    The session leaves the mailbox if it is the selected one; other sessions that have
    it open are closed.
    """
    name = session.name(command.mailbox)
    if name == INBOX:
        raise MailboxNotRemovable("INBOX stays")
    await leave_below(session, name)
    await session.mail.delete(name)
    return responses.ok(command.tag, b"Delete completed")


async def leave_below(session: Session, name: str) -> None:
    """Leave the selected mailbox if it is ``name`` or below it."""
    if session.selected is not None:
        selected = session.selected.mailbox.name
        if selected == name or selected.startswith(name + "/"):
            await deselect(session)

"""COPY and UID COPY: put messages into another mailbox too."""

from maildrop.errors import (
    MailboxNotFound,
    MailboxNotSelectable,
    MessageExpunged,
)
from maildrop.imap import respond
from maildrop.imap.session import Session
from maildrop.imap.wire import copy as wire, responses
from maildrop.mailbox.open_mailbox import Mailbox


async def copy(session: Session, command: wire.Copy) -> bytes:
    """COPY: RFC 3501 section 6.4.7; COPYUID: RFC 4315 section 3."""
    selected = session.mailbox
    uids = selected.named(command.messages, uid=command.uid)
    target = await target_of(session, command.mailbox)
    try:
        if not uids:
            return responses.ok(command.tag, b"No messages to copy")
        copied = await selected.mailbox.copy(uids, target)
    finally:
        await target.leave()
    if not copied.source:
        if command.uid:
            return responses.ok(command.tag, b"No messages to copy")
        raise MessageExpunged("COPY of expunged messages")
    code = responses.copy_uid(copied.uid_validity, copied.source, copied.target)
    return responses.ok(command.tag, b"Copy completed", code)


async def target_of(session: Session, written: str) -> Mailbox:
    """Open the mailbox that gets messages; ``Mailbox.leave`` must follow.

    Raises:
        TryCreate: There is none, and the client could make it.
    """
    name = session.name(written)
    try:
        return await session.mail.open(name, fresh=False)
    except (MailboxNotFound, MailboxNotSelectable) as error:
        raise respond.TryCreate("no such target") from error

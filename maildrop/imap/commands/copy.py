"""COPY and UID COPY: put messages into another mailbox too."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from maildrop.errors import (
    MailboxNotFound,
    MailboxNotSelectable,
    MailboxVanished,
    MessageExpunged,
)
from maildrop.imap import respond
from maildrop.imap.session import Session
from maildrop.imap.wire import copy as wire, responses
from maildrop.mailbox.open_mailbox import Mailbox

T = TypeVar("T")


async def copy(session: Session, command: wire.Copy) -> bytes:
    """COPY: RFC 3501 section 6.4.7; COPYUID: RFC 4315 section 3."""
    selected = session.mailbox
    uids = selected.named(command.messages, uid=command.uid)
    if not uids:
        await (await target_of(session, command.mailbox)).leave()
        return responses.ok(command.tag, b"No messages to copy")
    copied = await to_target(
        session, command.mailbox, lambda target: selected.mailbox.copy(uids, target)
    )
    if not copied.source:
        if command.uid:
            return responses.ok(command.tag, b"No messages to copy")
        raise MessageExpunged("COPY of expunged messages")
    code = responses.copy_uid(copied.uid_validity, copied.source, copied.target)
    return responses.ok(command.tag, b"Copy completed", code)


async def to_target(
    session: Session, written: str, add: Callable[[Mailbox], Awaitable[T]]
) -> T:
    """Add messages to the mailbox that the client named.

    Args:
        session: Whose.
        written: Its name.
        add: Adds them; called again if it finds the mailbox deleted or replaced.
    """
    try:
        return await _to_target(session, written, add)
    except MailboxVanished:
        return await _to_target(session, written, add)


async def _to_target(
    session: Session, written: str, add: Callable[[Mailbox], Awaitable[T]]
) -> T:
    target = await target_of(session, written)
    try:
        return await add(target)
    finally:
        await target.leave()


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

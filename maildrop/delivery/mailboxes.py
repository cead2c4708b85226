"""The mailbox that an action means, open.

In this file:
    opened    opens it
    leave     lets go of it
"""

from typing import Final

from twisted.logger import Logger

from maildrop.delivery.actions import INBOX, ToMailbox
from maildrop.errors import (
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotSelectable,
    MaildropError,
)
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.open_mailbox import Mailbox

_NO_FOLDER: Final = (MailboxNotFound, MailboxNotSelectable, MailboxNameInvalid)

_log = Logger()


async def opened(post: Post, target: ToMailbox) -> Mailbox:
    """Open it; INBOX if there is no folder of that name.

    Raises:
        MaildropError: The account's mail cannot be had.
    """
    mail = await post.mail(target.account)
    if target.folder != INBOX:
        folder = await _folder(mail, target.folder)
        if folder is not None:
            return folder
    return await mail.open(INBOX, fresh=False)


async def _folder(mail: Mail, wish: str) -> Mailbox | None:
    """The folder that a detail names, in any case; None if there is none."""
    try:
        return await mail.open(wish, fresh=False)
    except _NO_FOLDER:
        folded = wish.lower()
    for entry in await mail.entries():
        if entry.selectable and entry.name.lower() == folded:
            return await mail.open(entry.name, fresh=False)
    return None


async def leave(mailbox: Mailbox) -> None:
    """Let go: that may close another mailbox, whose trouble is not this message's."""
    try:
        await mailbox.leave()
    except MaildropError:
        _log.failure("{mailbox}: closing failed", mailbox=mailbox.name)

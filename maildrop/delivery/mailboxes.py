"""The mailbox that a folder's name means, open.

In this file:
    opened        opens it
    leave         lets go of it
    Letterbox     an open mailbox, as far as delivery knows: ``open_mailbox.Mailbox``
    Letterboxes   those of an account: ``bridge.Mail``
    PostOffice    those of all accounts: ``bridge.Post``
"""

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol, TypeVar

from twisted.logger import Logger

from maildrop.errors import (
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotSelectable,
    MaildropError,
)
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import MailboxEntry, NewMessage
from maildrop.mailbox.names import INBOX
from maildrop.mailbox.quota import Counted

_NO_FOLDER: Final = (MailboxNotFound, MailboxNotSelectable, MailboxNameInvalid)

_log = Logger()

BoxT = TypeVar("BoxT", bound="Letterbox")
BoxT_co = TypeVar("BoxT_co", bound="Letterbox", covariant=True)


class Letterbox(Protocol):
    """An open mailbox, as far as delivery knows."""

    @property
    def name(self) -> str:
        """Its name."""

    def append(self, messages: Sequence[NewMessage]) -> Awaitable[Sequence[int]]:
        """Add messages; gives their UIDs."""

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Awaitable[object]:
        """Remove messages."""

    def leave(self) -> Awaitable[None]:
        """Let go."""


class Letterboxes(Protocol[BoxT_co]):
    """The mailboxes of an account, as far as delivery knows."""

    def open(self, name: str, *, fresh: bool = True) -> Awaitable[BoxT_co]:
        """Open one."""

    def entries(self) -> Awaitable[list[MailboxEntry]]:
        """All of them."""

    def room(self, octets: int, counted: Counted) -> Awaitable[None]:
        """See whether a message of some octets could be added."""


class PostOffice(Protocol[BoxT_co]):
    """The mail of all accounts, as far as delivery knows."""

    def mail(self, account: Account) -> Awaitable[Letterboxes[BoxT_co]]:
        """The mailboxes of an account."""


async def opened(post: PostOffice[BoxT], account: Account, folder: str) -> BoxT:
    """Open it; INBOX if there is no folder of that name.

    Raises:
        MaildropError: The account's mail cannot be had.
    """
    mail = await post.mail(account)
    if folder != INBOX:
        found = await _folder(mail, folder)
        if found is not None:
            return found
    return await mail.open(INBOX, fresh=False)


async def _folder(mail: Letterboxes[BoxT], wish: str) -> BoxT | None:
    """The folder that a detail names, in any case; None if there is none."""
    try:
        return await mail.open(wish, fresh=False)
    except _NO_FOLDER:
        folded = wish.lower()
    for entry in await mail.entries():
        if entry.selectable and entry.name.lower() == folded:
            return await mail.open(entry.name, fresh=False)
    return None


async def leave(mailbox: Letterbox) -> None:
    """Let go: that may close another mailbox, whose trouble is not this message's."""
    try:
        await mailbox.leave()
    except MaildropError:
        _log.failure("{mailbox}: closing failed", mailbox=mailbox.name)

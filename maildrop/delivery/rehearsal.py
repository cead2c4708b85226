"""A rehearsal: the agent's own code, with mail and a queue in which nothing changes.

In this file:
    Rehearsal    stands for the mail of all accounts, and for the queue
    Stored       a copy that would have come into a mailbox

The agent is given a ``Rehearsal`` in the place of its ``Post`` and its ``Outbox``.  The
folders and quotas are the real ones; mailboxes are not opened (which would number new
messages), and where there is no mail of an account yet, not even its store is.  What a
store remembers of its sums may be written anew.

Errors: OverQuota as a store raises it; those of listing mailboxes and of sums.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from maildrop.delivery.actions import INBOX
from maildrop.durable import Content
from maildrop.errors import MailboxNotFound
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail
from maildrop.mailbox.interfaces import MailboxEntry, NewMessage
from maildrop.mailbox.quota import Counted, Usage
from maildrop.queue.entry import Entry


@dataclass(frozen=True, slots=True)
class Stored:
    """A copy that would have come into a mailbox.

    Attributes:
        user: Whose.
        folder: Its name.
        octets: Of the message with the fields before it.
    """

    user: str
    folder: str
    octets: int


class Rehearsal:
    """Stands for the mail of all accounts, and for the queue.

    Args:
        mail: The real mail of an account.
        has_mail: Whether there is any.

    Attributes:
        stored: The copies that would be there.
        entry: What would wait in the queue; None for nothing.
    """

    def __init__(
        self,
        mail: Callable[[Account], Awaitable[Mail]],
        has_mail: Callable[[Account], bool],
    ) -> None:
        self._mail = mail
        self._has_mail = has_mail
        self._accounts: dict[str, _Boxes] = {}
        self.stored: list[Stored] = []
        self.entry: Entry | None = None

    async def mail(self, account: Account) -> "_Boxes":
        """The mailboxes of an account; see ``mailboxes.PostOffice``."""
        boxes = self._accounts.get(account.name)
        if boxes is None:
            real = await self._mail(account) if self._has_mail(account) else None
            boxes = self._accounts[account.name] = _Boxes(self, account, real)
        return boxes

    async def put(self, entry: Entry, content: Content, before: bytes) -> None:
        """Put a message into the queue; see ``outbox.Outbox``."""
        entry.size = content.size + len(before)
        self.entry = entry


class _Boxes:
    """The mailboxes of an account."""

    def __init__(
        self, rehearsal: Rehearsal, account: Account, real: Mail | None
    ) -> None:
        self.rehearsal = rehearsal
        self.account = account
        self._real = real
        self._added = Usage()

    async def entries(self) -> list[MailboxEntry]:
        """All of them."""
        return [] if self._real is None else await self._real.entries()

    async def open(self, name: str, *, fresh: bool = True) -> "_Box":
        """One of them.

        Raises:
            MailboxNotFound: There is none of that name that holds messages.
        """
        del fresh
        if name.upper() == INBOX:
            return _Box(self, INBOX)
        for entry in await self.entries():
            if entry.name == name and entry.selectable:
                return _Box(self, name)
        raise MailboxNotFound(name)

    async def room(self, octets: int, counted: Counted) -> None:
        """See whether a message of some octets could be added.

        Raises:
            OverQuota: It could not.
        """
        quota = self.account.quota
        if quota is None:
            return
        used = self._added
        if self._real is not None:
            used += await self._real.usage()
        quota.check(used, Usage(octets, 1), counted)

    async def add(self, message: NewMessage, folder: str) -> None:
        """A copy would come.

        Raises:
            OverQuota: There is no room for it.
        """
        octets = message.content.size + len(message.head)
        await self.room(octets, message.counted)
        self._added += Usage(octets, 1)
        self.rehearsal.stored.append(Stored(self.account.name, folder, octets))


class _Box:
    """A mailbox."""

    def __init__(self, boxes: _Boxes, name: str) -> None:
        self._boxes = boxes
        self.name = name

    async def append(self, messages: Sequence[NewMessage]) -> list[int]:
        """Add messages; all get the UID 1."""
        for message in messages:
            await self._boxes.add(message, self.name)
        return [1] * len(messages)

    async def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> None:
        """Nothing was added that could be removed."""
        del uids, by, keep

    async def leave(self) -> None:
        """Nothing was opened that could be closed."""

"""The bridge between sessions on the reactor thread and synchronous stores.

In this file:
    Post        the mail of all accounts: what sessions and delivery are given
    Mail        the mail of one account, shared by its sessions

``open_mailbox`` has the open mailbox itself.

Threads: a call on a store runs on the reactor thread when the store says that so
many messages are cheap (``StoredMailbox.inline``), else in a thread.  Either way calls
on one mailbox never overlap: a ``Gate`` holds back the second.  A coroutine of this
package that needs no thread finishes without ever suspending.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from weakref import WeakValueDictionary

from maildrop.errors import MailboxVanished
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import Gate, InThread, Share, Waiting, Watcher
from maildrop.mailbox.interfaces import MailboxEntry, MailboxStatus, Store
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.quota import Counted, Reached, Usage
from maildrop.mailbox.texts import OCTETS_MAX


class Post:
    """The mail of every account that this process has open.

    Args:
        open_store: Makes the store of an account from its location.
        in_thread: Where slow calls run.
        owner: The rights with which an account's files are touched.
        watcher: Tells of changes by other programs.
        keep: Mailboxes kept open after their last session, least recently used first
            out.
        jobs: Calls of one account that are in threads at a time.
        waiting: Where calls wait for the disk; None for ``in_thread``.
        reached: Told of warnings that are due, on any thread; it must not wait.
        text_octets: Text kept of a mailbox for searches; 0 for none.
    """

    def __init__(
        self,
        open_store: Callable[[Account], Store],
        in_thread: InThread,
        owner: Callable[[Account], AbstractContextManager[object]],
        watcher: Watcher,
        keep: int = 256,
        jobs: int = 4,
        waiting: Waiting | None = None,
        reached: Callable[[Account, Reached], None] | None = None,
        text_octets: int = OCTETS_MAX,
    ) -> None:
        self.open_store = open_store
        self.in_thread = in_thread
        self.owner = owner
        self.watcher = watcher
        self.keep = keep
        self.jobs = jobs
        self.waiting = waiting
        self.reached = reached
        self.text_octets = text_octets
        # A Mail lives as long as a session, or a mailbox kept open, refers to it.
        self._mails: WeakValueDictionary[Account, Mail] = WeakValueDictionary()
        self._unused: OrderedDict[Mailbox, Mail] = OrderedDict()

    async def mail(self, account: Account) -> "Mail":
        """The mail of ``account``, opened at its first session."""
        mail = self._mails.get(account)
        if mail is None:
            mail = Mail(self, account)
            self._mails[account] = mail
        await mail.opened()
        if mail.account.quota != account.quota:
            await mail.take_quota(account)
        return mail

    def used(self, mailbox: Mailbox) -> None:
        """A session opened it."""
        self._unused.pop(mailbox, None)

    async def unused(self, mailbox: Mailbox, mail: "Mail") -> None:
        """The last session left it; kept open until others push it out."""
        self._unused[mailbox] = mail
        while len(self._unused) > self.keep:
            oldest, its_mail = self._unused.popitem(last=False)
            await its_mail.forget(oldest)

    async def settle(self) -> None:
        """Write what stores have put off, so that other programs see it."""
        for mail in list(self._mails.values()):
            await mail.settle()

    async def close(self) -> None:
        """Close every mailbox, writing what was put off."""
        for mail in list(self._mails.values()):
            await mail.close()
        self._mails.clear()
        self._unused.clear()


class Mail:
    """All mailboxes of one account, as sessions see them.

    Attributes:
        account: Whose.
        post: Where it belongs.
    """

    def __init__(self, post: Post, account: Account) -> None:
        self.post = post
        self.account = account
        self._store: Store | None = None
        self._in_thread = Share(post.in_thread, post.jobs)
        self._gate = self._new_gate()
        self._open: dict[str, Mailbox] = {}

    def _new_gate(self) -> Gate:
        post, account = self.post, self.account
        return Gate(self._in_thread, lambda: post.owner(account), post.waiting)

    async def opened(self) -> None:
        """Wait until the store is open."""
        if self._store is None:
            await self._gate.run(self._open_store)

    def _open_store(self) -> None:
        if self._store is None:
            self._store = self.post.open_store(self.account)
            self._limit()

    def _limit(self) -> None:
        account, reached = self.account, self.post.reached
        if reached is None:
            self.store.limit(account.quota)
        else:
            self.store.limit(account.quota, lambda found: reached(account, found))

    async def take_quota(self, account: Account) -> None:
        """The account has another quota now."""
        self.account = account
        await self._gate.run(self._limit)

    async def usage(self) -> Usage:
        """What is there; see ``quota.LimitedStore.usage``."""
        return await self._gate.run(self.store.usage)

    async def room(self, octets: int, counted: Counted) -> None:
        """See whether a message of some octets could be added now.

        Raises:
            OverQuota: It could not.
        """
        quota = self.account.quota
        if quota is not None:
            used = await self.usage()
            quota.check(used, Usage(octets, 1), counted)

    @property
    def store(self) -> Store:
        """The store; ``opened`` was awaited before this is used."""
        if self._store is None:
            raise RuntimeError("Mail.store before Mail.opened")
        return self._store

    async def entries(self) -> list[MailboxEntry]:
        """Every mailbox; see ``interfaces.Store.entries``."""
        return await self._gate.run(self.store.entries)

    async def open(self, name: str, *, fresh: bool = True) -> Mailbox:
        """Open a mailbox for one session, which calls ``Mailbox.leave`` when done.

        Args:
            name: Its name.
            fresh: Take in first what other programs did.  Who only adds messages has no
                need of that; if the mailbox was deleted or replaced, adding raises
                ``MailboxVanished``, and opening it once more tells.

        Raises:
            MailboxNotFound, MailboxNotSelectable, MailboxNameInvalid: as they say.
        """
        if name.upper() == "INBOX":
            name = "INBOX"
        try:
            return await self._open_once(name, fresh=fresh)
        except MailboxVanished:
            # It was kept open while another program replaced it.
            return await self._open_once(name, fresh=fresh)

    async def _open_once(self, name: str, *, fresh: bool) -> Mailbox:
        mailbox = self._open.get(name)
        if mailbox is None:
            stored = await self._gate.run(lambda: self.store.open(name))
            mailbox = self._open.get(name)
            if mailbox is None:
                mailbox = Mailbox(stored, self._new_gate(), self.post.watcher, self)
                mailbox.texts.limit(self.post.text_octets)
                self._open[name] = mailbox
            elif stored is not mailbox.stored:
                await self._gate.run(stored.close)  # another was quicker
            fresh = True
        mailbox.enter()
        if fresh:
            try:
                await mailbox.refresh()
            except BaseException:
                await mailbox.leave()
                raise
        return mailbox

    async def status(self, name: str) -> MailboxStatus:
        """The numbers of STATUS."""
        mailbox = await self.open(name)
        try:
            return mailbox.status()
        finally:
            await mailbox.leave()

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """See ``interfaces.Store.create``."""
        await self._gate.run(lambda: self.store.create(name, special_use))

    async def delete(self, name: str) -> None:
        """See ``interfaces.Store.delete``; sessions that have it open are told."""
        if name in self._open:
            await self.forget(self._open[name])
        await self._gate.run(lambda: self.store.delete(name))

    async def rename(self, name: str, new_name: str) -> None:
        """See ``interfaces.Store.rename``."""
        if name.upper() != "INBOX":
            await self._forget_below(name)
        await self._gate.run(lambda: self.store.rename(name, new_name))
        inbox = self._open.get("INBOX")
        if inbox is not None and name.upper() == "INBOX":
            await inbox.refresh()

    async def subscriptions(self) -> list[str]:
        """See ``interfaces.Store.subscriptions``."""
        return await self._gate.run(self.store.subscriptions)

    async def subscribe(self, name: str) -> None:
        """See ``interfaces.Store.subscribe``."""
        await self._gate.run(lambda: self.store.subscribe(name))

    async def unsubscribe(self, name: str) -> None:
        """See ``interfaces.Store.unsubscribe``."""
        await self._gate.run(lambda: self.store.unsubscribe(name))

    async def provide(self, special: Sequence[tuple[str, str]]) -> None:
        """See ``interfaces.Store.provide``."""
        await self._gate.run(lambda: self.store.provide(special))

    async def _forget_below(self, name: str) -> None:
        for opened in list(self._open):
            if opened == name or opened.startswith(name + "/"):
                await self.forget(self._open[opened])

    def used(self, mailbox: Mailbox) -> None:
        """A session opened it."""
        self.post.used(mailbox)

    async def unused(self, mailbox: Mailbox) -> None:
        """The last session left it."""
        await self.post.unused(mailbox, self)

    async def forget(self, mailbox: Mailbox) -> None:
        """Close a mailbox; sessions still in it get ``MailboxVanished``."""
        if self._open.get(mailbox.name) is mailbox:
            del self._open[mailbox.name]
        self.post.used(mailbox)  # no longer one to be pushed out
        await mailbox.close()

    async def settle(self) -> None:
        """Write what mailboxes have put off."""
        for mailbox in list(self._open.values()):
            await mailbox.settle()
            await mailbox.texts.keep_up()

    async def close(self) -> None:
        """Close every mailbox and the store."""
        for mailbox in list(self._open.values()):
            await self.forget(mailbox)
        if self._store is not None:
            await self._gate.run(self._store.close)
            self._store = None

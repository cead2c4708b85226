"""An open mailbox, shared by the sessions of a process.

Every coroutine here finishes without suspending when the store is cheap and nobody else
is at work on the mailbox.  Between two awaits a session may read ``table`` freely.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from maildrop.errors import MailboxVanished, MaildropError
from maildrop.mailbox.flags import FlagChange
from maildrop.mailbox.gate import Gate, Watcher
from maildrop.mailbox.interfaces import (
    Copied,
    Cut,
    MailboxStatus,
    NewMessage,
    Published,
    StoredMailbox,
)
from maildrop.mailbox.steps import MustWait, Steps
from maildrop.mailbox.table import MessageTable
from maildrop.mailbox.texts import Texts
from maildrop.mailbox.view import View

T = TypeVar("T")

#: Messages whose UIDLs are listed on the reactor thread: a millisecond's work.
_UIDLS_AT_ONCE = 4000
#: What may be added, copied or moved at once on the reactor thread: messages, octets.
INLINE_MESSAGES: Final = 64
INLINE_OCTETS: Final = 1 << 17


class _Publishing:
    """Staged messages that somebody wants to have published."""

    __slots__ = ("outcome", "staged")

    def __init__(self, staged: object) -> None:
        self.staged = staged
        self.outcome: Sequence[int] | BaseException | None = None


class Keeper(Protocol):
    """Who holds the open mailboxes of an account."""

    def used(self, mailbox: "Mailbox") -> None:
        """A session opened it."""

    def unused(self, mailbox: "Mailbox") -> Awaitable[None]:
        """The last session left it."""

    def forget(self, mailbox: "Mailbox") -> Awaitable[None]:
        """It is of no use any more: close it."""


class Mailbox:
    """One open mailbox.

    Attributes:
        stored: The store's side of it; only this class calls it.
        texts: What the store keeps for searches.
    """

    _log = Logger()

    def __init__(
        self, stored: StoredMailbox, gate: Gate, watcher: Watcher, keeper: Keeper
    ) -> None:
        self.stored = stored
        self.texts = Texts(self, stored.text, gate.another())
        self._gate = gate
        self._watcher = watcher
        self._keeper = keeper
        self._sessions = 0
        self._publishing: list[_Publishing] = []
        self._views: list[View] = []
        self._listeners: list[Callable[[], None]] = []
        self._end_watch: Callable[[], None] | None = None
        self._told = stored.table.journal.end, len(stored.table)
        self._closed = False  # nothing more is begun
        self._let_go = False  # and nothing that was begun before is made

    @property
    def name(self) -> str:
        """Its name, levels joined by "/"."""
        return self.stored.name

    @property
    def table(self) -> MessageTable:
        """The columns.  Read them only right after an await of this class."""
        return self.stored.table

    @property
    def read_only(self) -> bool:
        """Whether the account may not change it."""
        return self._gate.as_owner(lambda: self.stored.read_only)

    # -- sessions

    def enter(self) -> None:
        """One more session has it open."""
        self._sessions += 1
        self._keeper.used(self)

    async def leave(self) -> None:
        """A session is done with it."""
        self._sessions -= 1
        if self._sessions == 0:
            await self.settle()
        if self._sessions == 0 and not self._closed:
            await self._keeper.unused(self)

    async def settle(self) -> None:
        """Do what the store has put off, unless another program is in the way."""
        if self._closed or not self.stored.unsettled:
            return
        try:
            await self._run(self.stored.settle, None)
        except MaildropError as error:
            self._log.info(
                "mailbox {name} not settled yet: {error}", name=self.name, error=error
            )

    def view(self, *, read_only: bool) -> View:
        """Sequence numbers for one session; ``drop_view`` ends it."""
        view = View(self.table, read_only=read_only)
        self._views.append(view)
        return view

    def drop_view(self, view: View) -> None:
        """The session has left."""
        if view in self._views:
            self._views.remove(view)
        self._trim()

    def _trim(self) -> None:
        journal = self.table.journal
        if journal.entries:
            positions = (view.position for view in self._views)
            journal.forget_before(min(positions, default=journal.end))

    # -- calls

    async def turn(self) -> None:
        """Wait until nobody changes the table."""
        if not self._gate.free:
            await self._gate.enter()
            self._gate.leave()
        self._check()

    async def refresh(self) -> None:
        """Take in what other processes and programs did.

        Raises:
            MailboxVanished: It was deleted or renumbered: the session must leave.
        """
        if self._at_once(lambda: self.stored.unchanged(thorough=True)):
            self._announce()  # what the store did without being asked by us
        else:
            await self._run(self.stored.refresh, 1)

    @property
    def still(self) -> bool:
        """Whether nobody is at work here: ``turn`` would not wait."""
        return self._gate.free and not self._closed

    @property
    def unchanged(self) -> bool:
        """Whether ``refresh`` would find nothing; see ``StoredMailbox.unchanged``."""
        return self.still and self.stored.unchanged(thorough=False)

    async def follow(self) -> None:
        """As ``refresh``, at less cost; a mailbox replaced may be met a second late."""
        if not self.unchanged:
            await self._run(self.stored.refresh, 1)

    async def claim_recent(self) -> None:
        """See ``interfaces.StoredMailbox.claim_recent``."""
        if not self.still or self.stored.unclaimed:
            await self._run(self.stored.claim_recent, 1)

    async def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """See ``interfaces.StoredMailbox.change_flags``."""
        return await self._run(
            lambda: self.stored.change_flags(uids, change, by), len(uids)
        )

    async def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """See ``interfaces.StoredMailbox.expunge``."""
        return await self._run(
            lambda: self.stored.expunge(uids, by, keep=keep), len(uids)
        )

    async def append(
        self, messages: Sequence[NewMessage], by: object | None = None
    ) -> Sequence[int]:
        """Add messages, all or none; when it returns they are on disk.

        Returns:
            Their UIDs, in order.
        """
        if self._gate.free and not self._cut_for(messages):
            return await self._run(lambda: self._add(messages, by), None)
        # Somebody is at work here, or would have to wait: write the octets beside it.
        return await self.publish(await self.stage(messages), by)

    def _add(self, messages: Sequence[NewMessage], by: object | None) -> Sequence[int]:
        return self._publish(self.stored.stage(messages), by)

    def _publish(self, staged: object, by: object | None) -> Sequence[int]:
        try:
            return self.stored.publish(staged, by)
        except BaseException:
            self.stored.discard(staged)
            raise

    def _cut_for(self, messages: Sequence[NewMessage]) -> Cut | None:
        """The calls in steps, if adding these messages is quick between the waits."""
        if sum(it.content.size for it in messages) > INLINE_OCTETS:
            return None
        return self.stored.cut if len(messages) <= INLINE_MESSAGES else None

    async def stage(self, messages: Sequence[NewMessage]) -> object:
        """First half of adding, for a message that goes to several mailboxes.

        Returns:
            What ``publish`` or ``discard`` must be given.
        """
        self._check()
        cut = self._cut_for(messages)
        if cut is not None:
            with contextlib.suppress(MustWait):
                return await self._gate.walk(cut.stage(messages))
        return await self._gate.beside(lambda: self.stored.stage(messages))

    async def publish(self, staged: object, by: object | None = None) -> Sequence[int]:
        """Second half: visible and on disk when it returns, discarded if it raises.

        What several want to have published meanwhile goes together: one wait for the
        disk does for all.

        Returns:
            The UIDs, in order.
        """
        if self.stored.cut is None:
            return await self._run(lambda: self._publish(staged, by), None)
        mine = _Publishing(staged)
        self._publishing.append(mine)
        await self._gate.enter()
        try:
            if mine.outcome is None:
                group = self._publishing[:INLINE_MESSAGES]
                del self._publishing[:INLINE_MESSAGES]
                await self._publish_all(group)
        finally:
            self._gate.leave()
            self._announce()
        if isinstance(mine.outcome, MailboxVanished):
            await self._keeper.forget(self)
        if isinstance(mine.outcome, BaseException):
            await self.discard(staged)
            raise mine.outcome
        return mine.outcome or ()

    async def _publish_all(self, group: Sequence[_Publishing]) -> None:
        """Publish what some wait for; the gate is entered."""
        try:
            self._check()
            outcomes = await self._publish_in_steps([one.staged for one in group])
        except MaildropError as error:
            outcomes = [error] * len(group)
        except BaseException as error:
            for one in group:
                one.outcome = error
            raise
        for one, outcome in zip(group, outcomes, strict=True):
            one.outcome = outcome

    async def _publish_in_steps(self, staged: Sequence[object]) -> Sequence[Published]:
        cut = self.stored.cut
        if cut is not None:
            with contextlib.suppress(MustWait):
                return await self._gate.walk(cut.publish(staged))
        return await self._gate.apart(lambda: [self._outcome(one) for one in staged])

    def _outcome(self, staged: object) -> Published:
        try:
            return self.stored.publish(staged, None)
        except MaildropError as error:
            return error

    async def discard(self, staged: object) -> None:
        """Undo ``stage``."""
        await self._gate.beside(lambda: self.stored.discard(staged))

    async def copy(self, uids: Sequence[int], target: "Mailbox") -> Copied:
        """See ``interfaces.StoredMailbox.copy``."""
        return await self._both(
            target,
            len(uids),
            lambda cut: cut.copy(uids, target.stored),
            lambda: self.stored.copy(uids, target.stored),
        )

    async def move(
        self, uids: Sequence[int], target: "Mailbox", by: object | None
    ) -> Copied:
        """See ``interfaces.StoredMailbox.move``."""
        return await self._both(
            target,
            len(uids),
            lambda cut: cut.move(uids, target.stored, by),
            lambda: self.stored.move(uids, target.stored, by),
        )

    async def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """See ``interfaces.StoredMailbox.read_many``."""
        found = self._at_once(lambda: self.stored.read_at_once(uids))
        if found is None:
            found = await self._run(lambda: self.stored.read_many(uids), None)
        return found

    async def fragments(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """See ``interfaces.StoredMailbox.fragments``."""
        found = self._at_once(lambda: self.stored.fragments_at_once(key, uids))
        if found is None:
            found = await self._run(lambda: self.stored.fragments(key, uids), None)
        return found

    async def in_thread(self, job: Callable[[], T]) -> T:
        """Run what takes long and touches nothing that others see."""
        return await self._gate.beside(job)

    async def uidls(self) -> list[bytes]:
        """See ``interfaces.StoredMailbox.uidls``."""
        few = len(self.table) <= _UIDLS_AT_ONCE
        found = self._at_once(self.stored.uidls) if few else None
        return await self._run(self.stored.uidls, None) if found is None else found

    async def lock_maildrop(self) -> Callable[[], None]:
        """See ``interfaces.StoredMailbox.lock_maildrop``."""
        unlock = self._at_once(self.stored.lock_maildrop)
        if unlock is None:
            unlock = await self._run(self.stored.lock_maildrop, 1)
        return unlock

    async def keyed(self, job: Callable[[StoredMailbox], T]) -> T:
        """Make a call of ``keyed.KeyedMailbox``."""
        return await self._run(lambda: job(self.stored), None)

    def status(self) -> MailboxStatus:
        """The numbers of STATUS, as of the last refresh."""
        table = self.table
        return MailboxStatus(
            messages=len(table),
            recent=table.recent(),
            uid_next=table.uid_next,
            uid_validity=table.uid_validity,
            unseen=table.unseen,
            highest_mod_seq=table.highest_mod_seq,
            size=table.octets(),
            deleted=table.deleted,
        )

    async def _run(self, job: Callable[[], T], messages: int | None) -> T:
        """Run a call of the store; ``messages`` None means it always needs a thread."""

        def unless_let_go() -> T:
            if self._let_go:  # before it was our turn
                raise self._vanished()
            return job()

        self._check()
        try:
            if messages is not None and messages <= self.stored.inline:
                with contextlib.suppress(MustWait):
                    return await self._gate.run(unless_let_go, inline=True)
            return await self._gate.run(unless_let_go)
        except MailboxVanished:
            await self._keeper.forget(self)
            raise
        finally:
            self._announce()

    def _at_once(self, job: Callable[[], T | None]) -> T | None:
        """Run a call that changes nothing, unless somebody is at work here."""
        if not self.still:
            return None
        try:
            return self._gate.as_owner(job)
        except (MailboxVanished, MustWait):
            return None  # the call that is made instead meets it again, and may wait

    async def _both(
        self,
        target: "Mailbox",
        messages: int,
        in_steps: Callable[[Cut], Steps[T]],
        whole: Callable[[], T],
    ) -> T:
        """Run a call of two mailboxes with the gates of both entered."""
        both = sorted({self, target}, key=lambda mailbox: mailbox.name)
        cut = self.stored.cut if messages <= INLINE_MESSAGES else None
        try:
            async with contextlib.AsyncExitStack() as gates:
                for mailbox in both:
                    await mailbox._gate.enter(threaded=cut is None)
                    gates.callback(mailbox._gate.leave)
                for mailbox in both:
                    mailbox._check()
                if cut is None:
                    return await self._gate.beside(whole)
                with contextlib.suppress(MustWait):
                    return await self._gate.walk(in_steps(cut))
                return await self._gate.apart(whole)
        except MailboxVanished:
            for mailbox in both:  # which of them?
                with contextlib.suppress(MaildropError):
                    await mailbox.refresh()
            raise
        finally:
            for mailbox in both:
                mailbox._announce()

    def _check(self) -> None:
        if self._closed:
            raise self._vanished()

    def _vanished(self) -> MailboxVanished:
        return MailboxVanished(f"mailbox {self.name} was deleted or renamed")

    # -- news

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever messages or flags may have changed.

        Returns:
            A function that ends it.
        """
        self._listeners.append(changed)
        if self._end_watch is None:
            paths = self._gate.as_owner(lambda: list(self.stored.watched_paths()))
            self._end_watch = self._watcher.watch(paths, self._look)
        return lambda: self._unlisten(changed)

    def _unlisten(self, changed: Callable[[], None]) -> None:
        self._listeners.remove(changed)
        if not self._listeners and self._end_watch is not None:
            self._end_watch()
            self._end_watch = None

    def _look(self) -> None:
        """Something changed on disk: find out what, and tell the listeners."""
        Deferred.fromCoroutine(self._refresh_for_news())

    async def _refresh_for_news(self) -> None:
        try:
            await self.refresh()
        except MaildropError as error:
            self._log.info(
                "{mailbox} not refreshed: {error}", mailbox=self, error=error
            )
            for changed in tuple(self._listeners):
                changed()

    def _announce(self) -> None:
        """Tell the listeners if the table is not what they were told of."""
        now = self.table.journal.end, len(self.table)
        if now != self._told:
            self._told = now
            self._trim()
            for changed in tuple(self._listeners):
                changed()

    async def close(self) -> None:
        """Close it for good; waits for the call at work."""
        if self._closed:
            return
        self._closed = True
        if self._end_watch is not None:
            self._end_watch()
            self._end_watch = None
        await self.texts.close()
        await self._gate.run(self._close_stored)
        for changed in tuple(self._listeners):
            changed()

    def _close_stored(self) -> None:
        self._let_go = True
        self.stored.close()

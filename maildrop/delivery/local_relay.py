"""The relay "local": from the queue to mailboxes of ours, and to what addresses mean.

In this file:
    LocalRelay    takes it there

A recipient with an order goes to the mailbox that it names.  One without is routed
first (``routing``); if it means something else than one mailbox it is expanded: what it
stands for waits in the same entry from then on, each with a relay of its own.

A message is in a mailbox exactly once, though this server may end at any point:

    step                                      a crash after it
    1  the mailbox is asked for the key       nothing was done
       (entry and number of the recipient)
    2  the message is added with the key      the next attempt finds the key, and goes
                                              on with 3
    3  the result is noted in the queue       the recipient is done with
    4  keys of entries that have left the     they are forgotten with the next message
       queue are forgotten

Keys stay with the mailbox: if it was deleted or renamed between 2 and 3, or a folder of
the recipient's detail was, the message comes once more.

Errors: those of routing and of stores, as results; what is final is said by
``outcome``.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from twisted.logger import Logger

from maildrop.decisions.recorder import Recorder
from maildrop.delivery.actions import (
    Action,
    Discard,
    Recipient,
    ToMailbox,
    as_action,
    has_owner,
    shown,
)
from maildrop.delivery.agent import header_of
from maildrop.delivery.mailboxes import leave, opened
from maildrop.delivery.outbox import InThread
from maildrop.delivery.outcome import is_final, status_of
from maildrop.delivery.placing import Placing
from maildrop.delivery.received import delivered_to, gap, head, hops
from maildrop.delivery.remainder import Tried, expanded
from maildrop.delivery.routing import Router
from maildrop.durable import Content
from maildrop.errors import (
    MailboxVanished,
    MaildropError,
    MailLoop,
    TemporaryError,
)
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import NewMessage, StoredMailbox
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.quota import Counted
from maildrop.queue.entry import Kind, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.wire.path import Path, path_of

#: What became of a recipient, and what it stands for.
Expanded = tuple[Kind, Status, list[Waiting]]

#: Actions whose reasons are told; more than that are worked on in a thread.
_TOLD: Final = 100
_DELIVERED = Status("2.0.0", "delivered")
_EXPANDED = Status("2.1.5", "it stands for others, to whom the message went on")
_DISCARDED = Status("2.0.0", "discarded, as its recipient wants")


class LocalRelay:
    """Takes messages to mailboxes of ours.

    Args:
        post: The mail of all accounts.
        router: Says what addresses mean.
        placing: Says who takes what they mean.
        account: The account of a user's name, None if there is none.
        holds: Whether an entry is in the queue.
        in_thread: Runs what waits for the disk.
        hops: Received fields a message may have.
        header: Octets of a header that are searched for trace fields.
        defer_full: Mail for a full mailbox is to be tried again.
        recorder: Is told where each copy went.
    """

    _log = Logger()

    def __init__(
        self,
        post: Post,
        router: Router,
        placing: Placing,
        account: Callable[[str], Account | None],
        holds: Callable[[str], bool],
        in_thread: InThread,
        *,
        hops: int = 100,
        header: int = 1 << 18,
        defer_full: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self._post = post
        self._router = router
        self._placing = placing
        self._account = account
        self._holds = holds
        self._in_thread = in_thread
        self._hops = hops
        self._header = header
        self._defer_full = defer_full
        self._recorder = recorder or Recorder()

    async def relay(self, job: Job) -> Attempt:
        """See ``queue.relay.Relay``."""
        content: Content = await self._in_thread(job.content)
        try:
            message = _Message(job, content, header_of(content.octets(), self._header))
            results: list[Result] = []
            more: list[Waiting] = []
            for waiting in job.recipients:
                kind, status, children = await self._try(message, waiting)
                results.append(Result(waiting.number, kind, status))
                more += children
            return Attempt(results, more)
        finally:
            content.close()

    async def _try(self, message: "_Message", waiting: Waiting) -> Expanded:
        try:
            return await self._one(message, waiting)
        except MaildropError as error:
            status = status_of(error, defer_full=self._defer_full)
            self._log.warn(
                "{id}: not delivered to {recipient}: {error}",
                id=message.id,
                recipient=waiting.address,
                error=error,
            )
        except Exception:
            self._log.failure("{id}: delivery failed", id=message.id)
            status = status_of(TemporaryError("server bug, see the log"))
        return Kind.FAILED if is_final(status) else Kind.WAITING, status, []

    async def _one(self, message: "_Message", waiting: Waiting) -> Expanded:
        action = as_action(waiting, self._account)
        path = path_of(waiting.address)
        if isinstance(action, ToMailbox):
            await self._deliver(message, waiting, action, path)
            return Kind.DELIVERED, _DELIVERED, []
        if hops(message.header) > self._hops:
            raise MailLoop(f"over {self._hops} Received fields")
        if str(path).lower() in delivered_to(message.header):
            raise MailLoop("a Delivered-To field has that address already")
        recipient = await self._router.route(path, sender=message.sender, whole=True)
        self._recorder.note(
            message.id,
            "recipient",
            recipient=path,
            to=[shown(each) for each in recipient.actions[:_TOLD]],
            why=[reason for each in recipient.actions[:_TOLD] for reason in each.why],
        )
        return await self._follow(message, waiting, recipient)

    async def _follow(
        self, message: "_Message", waiting: Waiting, recipient: Recipient
    ) -> Expanded:
        """Do what an address of ours means."""
        actions = [each for each in recipient.actions if not isinstance(each, Discard)]
        if not actions:
            return Kind.DELIVERED, _DISCARDED, []
        only = actions[0]
        if len(actions) == 1 and isinstance(only, ToMailbox) and only.sender is None:
            await self._deliver(message, waiting, only, recipient.path)
            return Kind.DELIVERED, _DELIVERED, []
        follow = functools.partial(self._expand, waiting, recipient, actions)
        if len(actions) <= _TOLD:
            return follow()
        expansion: Expanded = await self._in_thread(follow)
        return expansion

    def _expand(
        self, waiting: Waiting, recipient: Recipient, actions: Sequence[Action]
    ) -> Expanded:
        """What it stands for; of a long list that takes a while."""
        recipient = replace(recipient, original=waiting.original, notify=waiting.notify)
        tried = [Tried(each) for each in actions]
        children = expanded(recipient, tried, self._placing, 0, waiting.number)
        for child in children:
            if child.sender is None:
                child.sender = waiting.sender
        # RFC 3461 section 5.2.7.1: mail for a list is delivered to the list.
        owned = all(has_owner(each) for each in actions)
        return Kind.DELIVERED if owned else Kind.EXPANDED, _EXPANDED, children

    # -- one mailbox

    async def _deliver(
        self, message: "_Message", waiting: Waiting, target: ToMailbox, path: Path
    ) -> None:
        """Put the message into a mailbox, unless it is there."""
        try:
            await self._deliver_once(message, waiting, target, path)
        except MailboxVanished:  # renumbered or renamed under us: open it again
            await self._deliver_once(message, waiting, target, path)

    async def _deliver_once(
        self, message: "_Message", waiting: Waiting, target: ToMailbox, path: Path
    ) -> None:
        key = b"%b.%d" % (message.id.encode(), waiting.number)
        mailbox = await opened(self._post, target.account, target.folder)
        try:
            came, keys = await mailbox.keyed(lambda stored: _known(stored, key))
            if came:
                self._log.info(
                    "{id}: was delivered to {recipient} before",
                    id=message.id,
                    recipient=waiting.address,
                )
                return
            await self._forget(mailbox, keys)
            new = NewMessage(
                message.content,
                head(b"", message.sender, path) + gap(message.header),
                counted=Counted.DELIVERED,
                key=key,
            )
            [uid] = await mailbox.append([new])
            self._tell(message, waiting, target, mailbox.name, uid)
        finally:
            await leave(mailbox)

    async def _forget(self, mailbox: Mailbox, keys: list[bytes]) -> None:
        """Nobody asks for keys of entries that have left the queue."""
        gone = [
            key for key in keys if not self._holds(key.rpartition(b".")[0].decode())
        ]
        if gone:
            await mailbox.keyed(lambda stored: stored.forget_keys(gone))

    def _tell(
        self,
        message: "_Message",
        waiting: Waiting,
        target: ToMailbox,
        folder: str,
        uid: int,
    ) -> None:
        self._recorder.note(
            message.id,
            "delivered",
            recipient=waiting.address,
            user=target.account.name,
            folder=folder,
            uid=uid,
        )
        self._log.info(
            "{id}: delivered to {recipient}: {user} {folder} uid {uid}",
            id=message.id,
            recipient=waiting.address,
            user=target.account.name,
            folder=folder,
            uid=uid,
        )


class _Message:
    """A message on its way out of the queue."""

    __slots__ = ("content", "header", "id", "sender")

    def __init__(self, job: Job, content: Content, header: bytes) -> None:
        self.id = job.entry.id
        self.sender = path_of(job.sender) if job.sender else None
        self.content = content
        self.header = header


def _known(stored: StoredMailbox, key: bytes) -> tuple[bool, list[bytes]]:
    return stored.came(key), list(stored.keys())

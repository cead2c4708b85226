r"""The agent: puts one message into the mailboxes of its recipients.

In this file:
    Agent       delivers
    Envelope    what is known of a message besides its content

``together`` decides what one failure means.  SMTP has one reply for all recipients, and
without a queue nothing can be delivered later: so either all get the message or nobody
does.  LMTP has a reply for each recipient: every one stands alone.

Steps of a delivery to several mailboxes (to a single one: ``Mailbox.append``):

    step                         a crash, or an error, then leaves
    ---------------------------  ---------------------------------------------------
    all mailboxes opened         nothing
    staged in each               octets that nobody sees; an error discards them, after
                                 a crash the store does
    published in each            the message in some; an error takes it back (expunge)
                                 and is answered 4xx, after a crash the client, which
                                 had no answer, sends again
    answered                     the message in all

Errors: ``deliver`` raises nothing; an ``Outcome`` holds the error of its recipient.  An
error nobody expected is logged whole and counts as temporary: the sender keeps the
mail.

Limits: Received fields (RFC 5321 section 6.3: at least 100 should pass), and octets of
the header that are searched for trace fields.
"""

import mmap
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.logger import Logger

from maildrop.decisions.recorder import Recorder
from maildrop.delivery.actions import INBOX, Recipient, ToMailbox
from maildrop.delivery.outcome import Outcome
from maildrop.delivery.received import Trace, delivered_to, gap, head, hops, received
from maildrop.durable import Content
from maildrop.errors import (
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotSelectable,
    MailboxVanished,
    MaildropError,
    MailLoop,
    TemporaryError,
)
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.quota import Counted
from maildrop.metrics import Counters
from maildrop.smtp.wire.path import Path

_EMPTY_LINE: Final = re.compile(rb"(?:\A|\r?\n)\r?\n")
_NO_FOLDER: Final = (MailboxNotFound, MailboxNotSelectable, MailboxNameInvalid)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message besides its content.

    Attributes:
        sender: The reverse path, None for ``<>``.
        trace: How it came.
        fields: Header fields to put before the content, CRLF line ends.
    """

    sender: Path | None
    trace: Trace
    fields: bytes = b""


@dataclass(slots=True)
class _Copy:
    """The message on its way into one mailbox."""

    mailbox: Mailbox
    message: NewMessage
    staged: object = None
    uid: int = 0


def header_of(octets: bytes | mmap.mmap, most: int) -> bytes:
    """The header of a message, cut after ``most`` octets.

    Lines that end in LF alone count too: clients send them, and most stores will show
    them as lines.
    """
    end = _EMPTY_LINE.search(octets, 0, most)
    return octets[: end.start() if end is not None else most]


class Agent:
    """Delivers messages.

    Args:
        post: The mail of all accounts.
        hops: Received fields a message may have.
        header: Octets of a header that are searched for trace fields.
        counters: Counts ``messages_delivered`` and ``messages_not_delivered``.
        recorder: Is told where each copy went, or why not.
    """

    _log = Logger()

    def __init__(
        self,
        post: Post,
        *,
        hops: int = 100,
        header: int = 1 << 18,
        counters: Counters | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder or Recorder()
        self._post = post
        self._counters = counters or Counters()
        self._hops = hops
        self._header = header

    async def admit(self, recipient: Recipient, octets: int) -> None:
        """See whether a message could be stored for a recipient.

        Args:
            recipient: Whose mailboxes.
            octets: Of the message, as far as known.

        Raises:
            OverQuota: One of them has no room.
        """
        for target in recipient.mailboxes:
            if target.account.quota is not None:
                mail = await self._post.mail(target.account)
                await mail.room(octets, Counted.DELIVERED)

    async def deliver(
        self,
        envelope: Envelope,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        together: bool,
    ) -> list[Outcome]:
        """Store a message for each recipient.

        Args:
            envelope: Sender and trace.
            content: The message as received; the caller closes it afterwards.
            recipients: Mailboxes that several of them share get one copy.
            together: All or nobody.

        Returns:
            An outcome for each recipient, in order.
        """
        header = header_of(content.octets(), self._header)
        alone = len(recipients) == 1
        delivery = _Delivery(self._post, envelope, content, header, alone)
        if hops(header) > self._hops:
            loop = Outcome(MailLoop(f"over {self._hops} Received fields"))
            outcomes = [loop] * len(recipients)
        else:
            before = delivered_to(header)
            if together:
                outcomes = await delivery.group(recipients, before)
            else:
                outcomes = []
                for recipient in recipients:
                    outcomes += await delivery.group([recipient], before)
        for recipient, outcome in zip(recipients, outcomes, strict=True):
            self._record(envelope, recipient, outcome)
        return outcomes

    def _record(
        self, envelope: Envelope, recipient: Recipient, outcome: Outcome
    ) -> None:
        trace = envelope.trace.id
        if outcome.error is not None:
            self._recorder.note(
                trace,
                "not delivered",
                recipient=recipient.path,
                why=str(outcome.error),
            )
            self._counters.add("messages_not_delivered")
            self._log.warn(
                "{id}: not delivered to {recipient}: {error}",
                id=trace,
                recipient=str(recipient.path),
                error=outcome.error,
            )
            return
        users = [target.account.name for target in recipient.mailboxes]
        self._recorder.note(
            trace,
            "delivered",
            recipient=recipient.path,
            user=users[0] if len(users) == 1 else users,
            folder=outcome.folder,
            uid=outcome.uid,
        )
        self._counters.add("messages_delivered")
        self._log.info(
            "{id}: delivered to {recipient}: {user} {folder} uid {uid}",
            id=trace,
            recipient=str(recipient.path),
            user=",".join(users),
            folder=outcome.folder,
            uid=outcome.uid,
        )


class _Delivery:
    """One message's delivery."""

    _log = Logger()

    def __init__(
        self,
        post: Post,
        envelope: Envelope,
        content: Content,
        header: bytes,
        alone: bool,
    ) -> None:
        self._post = post
        self._envelope = envelope
        self._content = content
        self._alone = alone
        self._gap = gap(header)
        self._done: dict[tuple[str, str], Outcome] = {}

    async def group(
        self, recipients: Sequence[Recipient], before: frozenset[str]
    ) -> list[Outcome]:
        """Store it for all of ``recipients`` or for none."""
        if any(str(recipient.path).lower() in before for recipient in recipients):
            loop = Outcome(MailLoop("a Delivered-To field has that address already"))
            return [loop] * len(recipients)
        try:
            try:
                return await self._store(recipients)
            except MailboxVanished:  # renumbered or renamed under us: open it again
                return await self._store(recipients)
        except MaildropError as error:
            outcome = Outcome(error)
        except Exception:
            self._log.failure("{id}: delivery failed", id=self._envelope.trace.id)
            outcome = Outcome(TemporaryError("server bug, see the log"))
        return [outcome] * len(recipients)

    async def _store(self, recipients: Sequence[Recipient]) -> list[Outcome]:
        opened: list[Mailbox] = []
        copies: dict[tuple[str, str], _Copy] = {}
        keys: list[tuple[str, str] | None] = []
        try:
            for recipient in recipients:
                its = [
                    await self._copy(recipient, target, opened, copies)
                    for target in recipient.mailboxes
                ]
                keys.append(its[0] if its else None)  # none: it is discarded
            if len(copies) == 1:
                for copy in copies.values():
                    [copy.uid] = await copy.mailbox.append([copy.message])
            elif copies:
                await self._store_all(list(copies.values()))
        finally:
            for mailbox in opened:
                await self._leave(mailbox)
        for key, copy in copies.items():
            self._done[key] = Outcome(None, key[1], copy.uid)
        return [Outcome() if key is None else self._done[key] for key in keys]

    async def _copy(
        self,
        recipient: Recipient,
        target: ToMailbox,
        opened: list[Mailbox],
        copies: dict[tuple[str, str], _Copy],
    ) -> tuple[str, str]:
        """Open a mailbox, and see that it gets one copy and no more."""
        mailbox = await self._open(target)
        opened.append(mailbox)
        key = target.account.name, mailbox.name
        if key not in self._done and key not in copies:
            message = NewMessage(
                self._content, self._head(recipient), counted=Counted.DELIVERED
            )
            copies[key] = _Copy(mailbox, message)
        return key

    def _head(self, recipient: Recipient) -> bytes:
        envelope, path = self._envelope, recipient.path
        field = received(envelope.trace, path if self._alone else None)
        return head(field, envelope.sender, path) + envelope.fields + self._gap

    async def _open(self, target: ToMailbox) -> Mailbox:
        mail = await self._post.mail(target.account)
        if target.folder != INBOX:
            folder = await self._folder(mail, target.folder)
            if folder is not None:
                return folder
        return await mail.open(INBOX, fresh=False)

    async def _folder(self, mail: Mail, wish: str) -> Mailbox | None:
        """The folder that a detail names, in any case; None if there is none."""
        try:
            return await mail.open(wish, fresh=False)
        except _NO_FOLDER:
            folded = wish.lower()
        for entry in await mail.entries():
            if entry.selectable and entry.name.lower() == folded:
                return await mail.open(entry.name, fresh=False)
        return None

    async def _store_all(self, copies: Sequence[_Copy]) -> None:
        """Stage in every mailbox, then publish in every one."""
        staged: list[_Copy] = []
        published: list[_Copy] = []
        try:
            for copy in copies:
                copy.staged = await copy.mailbox.stage([copy.message])
                staged.append(copy)
            while staged:
                copy = staged.pop(0)  # publish discards what it cannot publish
                [copy.uid] = await copy.mailbox.publish(copy.staged)
                published.append(copy)
        except BaseException:
            for copy in staged:
                await self._undo(copy.mailbox.discard(copy.staged), copy)
            for copy in published:
                back = copy.mailbox.expunge([copy.uid], None, keep=False)
                await self._undo(back, copy)
            raise

    async def _undo(self, work: Awaitable[object], copy: _Copy) -> None:
        try:
            await work
        except MaildropError:
            self._log.failure(
                "{id}: a copy is left in {folder} uid {uid}",
                id=self._envelope.trace.id,
                folder=copy.mailbox.name,
                uid=copy.uid,
            )

    async def _leave(self, mailbox: Mailbox) -> None:
        """Leaving may close another mailbox; its trouble is not this message's."""
        try:
            await mailbox.leave()
        except MaildropError:
            self._log.failure("{mailbox}: closing failed", mailbox=mailbox.name)

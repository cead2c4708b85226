r"""The agent: puts one message into the mailboxes of its recipients, or the queue.

In this file:
    Agent       delivers
    Envelope    what is known of a message besides its content

Mailboxes get their copies at once; what else is to be done with the message goes into
the queue, as one entry (``remainder``).  SMTP has one reply for all recipients, LMTP
one for each; for those that share a reply:

    done, or to be queued   failed for now      failed for good      the client is told
    ----------------------  ------------------  -------------------  ------------------
    any                     goes to the queue   sender gets report   250
    nothing                 any                 -                    4xx: has all of it
    nothing                 -                   any                  5xx: has all of it

Steps of a delivery, and what a crash or an error leaves:

    step                                 a crash, or an error, then leaves
    -----------------------------------  --------------------------------------------
    1  each mailbox gets its copy        the message in some of them; the client, which
       (``Mailbox.append``)              had no answer, sends again
    2  what is left is in the queue,     the same, and it leaves by the queue; an error
       synced                            takes all copies back and is answered 4xx
    3  answered                          nothing is to be done again by anybody

Errors: ``deliver`` raises nothing; an ``Outcome`` holds the error of its recipient.  An
error nobody expected is logged whole and counts as temporary: the sender keeps the
mail.

Limits: Received fields (RFC 5321 section 6.3: at least 100 should pass), and octets of
the header that are searched for trace fields.
"""

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from maildrop.decisions.recorder import Recorder
from maildrop.delivery.actions import Action, Discard, Recipient, ToMailbox
from maildrop.delivery.mailboxes import Letterbox, PostOffice, leave, opened
from maildrop.delivery.outbox import Outbox
from maildrop.delivery.outcome import Outcome, is_final, status_of
from maildrop.delivery.placing import Placing
from maildrop.delivery.received import Trace, delivered_to, gap, head, hops, received
from maildrop.delivery.remainder import Tried, remainder
from maildrop.durable import Content
from maildrop.errors import (
    MailboxVanished,
    MaildropError,
    MailLoop,
    OverQuota,
    TemporaryError,
)
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.quota import Counted
from maildrop.metrics import Counters
from maildrop.queue.entry import Entry, Kind, Options, Status
from maildrop.smtp.wire.path import Path

_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_DONE: Final = Status("2.0.0", "delivered")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message besides its content.

    Attributes:
        sender: The reverse path, None for ``<>``.
        trace: How it came.
        fields: Header fields to put before the content, CRLF line ends.
        options: What the sender asked for.
    """

    sender: Path | None
    trace: Trace
    fields: bytes = b""
    options: Options = field(default_factory=Options)


@dataclass(slots=True, eq=False)
class _Copy:
    """The message on its way into one mailbox, or what keeps it from there."""

    mailbox: Letterbox | None = None
    message: NewMessage | None = None
    uid: int = 0
    error: MaildropError | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """An action, and the copy that comes of it; None for what is not done now."""

    action: Action
    copy: _Copy | None = None

    @property
    def error(self) -> MaildropError | None:
        """Why it failed, None if it did not."""
        return self.copy.error if self.copy is not None else None


def header_of(octets: bytes | mmap.mmap, most: int) -> bytes:
    """The header of a message, cut after ``most`` octets.

    Lines that end in LF alone count too: clients send them, and most stores will show
    them as lines.
    """
    if octets[:1] == b"\n" or octets[:2] == b"\r\n":
        return b""
    end = _EMPTY_LINE.search(octets, 0, most)
    if end is None:
        return octets[:most]
    return octets[: end.start()].removesuffix(b"\r")


class Agent:
    """Delivers messages.

    Args:
        post: The mail of all accounts.
        outbox: Takes what cannot be done at once.
        placing: Says who takes it from there.
        hops: Received fields a message may have.
        header: Octets of a header that are searched for trace fields.
        defer_full: Mail for a full mailbox is to be tried again.
        counters: Counts ``messages_delivered`` and ``messages_not_delivered``.
        recorder: Is told where each copy went, or why not.
    """

    _log = Logger()

    def __init__(
        self,
        post: PostOffice[Letterbox],
        outbox: Outbox,
        placing: Placing,
        *,
        hops: int = 100,
        header: int = 1 << 18,
        defer_full: bool = False,
        counters: Counters | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder or Recorder()
        self._post = post
        self._outbox = outbox
        self._placing = placing
        self._counters = counters or Counters()
        self._hops = hops
        self._header = header
        self._defer_full = defer_full

    async def admit(self, recipient: Recipient, octets: int) -> None:
        """See whether a message could be stored for a recipient.

        Args:
            recipient: Whose mailboxes.
            octets: Of the message, as far as known.

        Raises:
            OverQuota: There is no room in any of them, and nothing else is to be done.
        """
        full: OverQuota | None = None
        for action in recipient.actions:
            if not isinstance(action, ToMailbox) or action.account.quota is None:
                return
            mail = await self._post.mail(action.account)
            try:
                await mail.room(octets, Counted.DELIVERED)
            except OverQuota as error:
                full = error
            else:
                return
        if full is not None:
            raise full

    async def deliver(
        self,
        envelope: Envelope,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        together: bool,
    ) -> list[Outcome]:
        """See to a message for each recipient.

        Args:
            envelope: Sender and trace.
            content: The message as received; the caller closes it afterwards.
            recipients: Mailboxes that several of them share get one copy.
            together: They share one reply.

        Returns:
            An outcome for each recipient, in order.
        """
        header = header_of(content.octets(), self._header)
        if hops(header) > self._hops:
            loop = Outcome(MailLoop(f"over {self._hops} Received fields"))
            outcomes = [loop] * len(recipients)
        else:
            delivery = _Delivery(self._post, envelope, content, header, recipients)
            try:
                parts = await delivery.parts()
                outcomes = await self._conclude(delivery, parts, together=together)
                for number, outcome in enumerate(outcomes):
                    if outcome.error is None:
                        self._note(envelope, recipients[number], parts[number])
            finally:
                await delivery.leave()
        for recipient, outcome in zip(recipients, outcomes, strict=True):
            self._record(envelope, recipient, outcome)
        return outcomes

    # -- what follows from it

    async def _conclude(
        self, delivery: "_Delivery", parts: Sequence[Sequence[_Part]], *, together: bool
    ) -> list[Outcome]:
        """Refuse those of whom nothing was done; queue what is left of the others."""
        recipients = delivery.recipients
        outcomes = [_outcome(each) for each in parts]
        if all(map(_is_over, recipients, parts)):
            return outcomes
        numbers = range(len(recipients))
        tried = []
        for group in [numbers] if together else [range(n, n + 1) for n in numbers]:
            refused = self._refused([each for n in group for each in parts[n]])
            for n in group:
                if refused is not None:
                    outcomes[n] = Outcome(refused)
                else:
                    tried.append((recipients[n], list(map(self._tried, parts[n]))))
        entry = remainder(delivery.entry(), tried, self._placing)
        if entry is None:
            return outcomes
        try:
            await self._outbox.put(entry, delivery.content, delivery.before())
        except MaildropError as error:
            await delivery.take_back()
            return [Outcome(each.error or error) for each in outcomes]
        for waiting in entry.recipients:
            if waiting.kind in {Kind.WAITING, Kind.FAILED}:
                status = waiting.status
                self._recorder.note(
                    entry.id,
                    "queued" if waiting.kind is Kind.WAITING else "failed",
                    recipient=waiting.address,
                    relay=waiting.relay,
                    why="" if status is None else f"{status.code} {status.text}",
                )
        return outcomes

    def _note(
        self, envelope: Envelope, recipient: Recipient, parts: Sequence[_Part]
    ) -> None:
        """Say where the copies of a recipient are."""
        for part in parts:
            action, copy = part.action, part.copy
            if isinstance(action, ToMailbox) and copy is not None and copy.uid:
                self._recorder.note(
                    envelope.trace.id,
                    "delivered",
                    recipient=recipient.path,
                    user=action.account.name,
                    folder=copy.mailbox.name if copy.mailbox is not None else "",
                    uid=copy.uid,
                    location=action.account.location,
                )

    def _refused(self, parts: Sequence[_Part]) -> MaildropError | None:
        """Why the client keeps the message; None if something is done with it."""
        errors = [each.error for each in parts if each.error is not None]
        if not errors or len(errors) < len(parts):
            return None
        temporary = (each for each in errors if not is_final(self._status(each)))
        return next(temporary, errors[0])

    def _status(self, error: MaildropError) -> Status:
        return status_of(error, defer_full=self._defer_full)

    def _tried(self, part: _Part) -> Tried:
        if part.error is not None:
            status = self._status(part.error)
            kind = Kind.FAILED if is_final(status) else Kind.WAITING
            return Tried(part.action, kind, status)
        if part.copy is None and not isinstance(part.action, Discard):
            return Tried(part.action)
        return Tried(part.action, Kind.DELIVERED, _DONE)

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
        self._counters.add("messages_delivered")
        if not outcome.folder:
            return
        users = [target.account.name for target in recipient.mailboxes]
        self._log.info(
            "{id}: delivered to {recipient}: {user} {folder} uid {uid}",
            id=trace,
            recipient=str(recipient.path),
            user=",".join(users),
            folder=outcome.folder,
            uid=outcome.uid,
        )


def _is_over(recipient: Recipient, parts: Sequence[_Part]) -> bool:
    """Whether all is done, and nobody is to be told."""
    for part in parts:
        if part.copy is None or part.copy.error is not None:
            return False
    return not recipient.notify


def _outcome(parts: Sequence[_Part]) -> Outcome:
    """Of a recipient for whom something was done: the first mailbox that has it."""
    for part in parts:
        copy = part.copy
        if copy is not None and copy.uid and copy.mailbox is not None:
            return Outcome(None, copy.mailbox.name, copy.uid)
    return Outcome()


class _Delivery:
    """One message's delivery to mailboxes; ``leave`` ends it."""

    _log = Logger()

    def __init__(
        self,
        post: PostOffice[Letterbox],
        envelope: Envelope,
        content: Content,
        header: bytes,
        recipients: Sequence[Recipient],
    ) -> None:
        self.content = content
        self.recipients = recipients
        self._post = post
        self._envelope = envelope
        self._alone = len(recipients) == 1
        self._seen = delivered_to(header)
        self._gap = gap(header)
        self._copies: dict[tuple[str, str], _Copy] = {}
        self._open: list[Letterbox] = []

    async def parts(self) -> list[list[_Part]]:
        """Put the message into every mailbox that can be had."""
        parts = [
            [await self._part(recipient, action) for action in recipient.actions]
            for recipient in self.recipients
        ]
        targets = [
            (copy, part.action)
            for part in {id(p.copy): p for its in parts for p in its}.values()
            if (copy := part.copy) is not None and copy.mailbox is not None
        ]
        work = [self._store(*target) for target in targets]
        if len(work) == 1:
            await work[0]
        elif work:
            await gatherResults([Deferred.fromCoroutine(each) for each in work])
        return parts

    async def _part(self, recipient: Recipient, action: Action) -> _Part:
        """Open a mailbox, and see that it gets one copy and no more."""
        if self._seen and str(recipient.path).lower() in self._seen:
            loop = MailLoop("a Delivered-To field has that address already")
            return _Part(action, _Copy(error=loop))
        if not isinstance(action, ToMailbox):
            return _Part(action)
        copy = _Copy()
        try:
            mailbox = await self._opened(action)
        except MaildropError as error:
            copy.error = error
            return _Part(action, copy)
        except Exception:
            self._failed(copy)
            return _Part(action, copy)
        known = self._copies.setdefault((action.account.name, mailbox.name), copy)
        if known is copy:
            copy.mailbox = mailbox
            copy.message = NewMessage(
                self.content, self._head(recipient), counted=Counted.DELIVERED
            )
        return _Part(action, known)

    async def _opened(self, action: ToMailbox) -> Letterbox:
        mailbox = await opened(self._post, action.account, action.folder)
        self._open.append(mailbox)
        return mailbox

    def _failed(self, copy: _Copy) -> None:
        self._log.failure("{id}: delivery failed", id=self._envelope.trace.id)
        copy.error = TemporaryError("server bug, see the log")

    async def _store(self, copy: _Copy, action: Action) -> None:
        try:
            try:
                await self._append(copy)
            except MailboxVanished:  # renumbered or renamed under us: open it again
                if isinstance(action, ToMailbox):
                    copy.mailbox = await self._opened(action)
                await self._append(copy)
        except MaildropError as error:
            copy.error = error
        except Exception:
            self._failed(copy)

    async def _append(self, copy: _Copy) -> None:
        if copy.mailbox is not None and copy.message is not None:
            [copy.uid] = await copy.mailbox.append([copy.message])

    def _head(self, recipient: Recipient) -> bytes:
        envelope, path = self._envelope, recipient.path
        field = received(envelope.trace, path if self._alone else None)
        return head(field, envelope.sender, path) + envelope.fields + self._gap

    async def leave(self) -> None:
        """Let go of the mailboxes."""
        for mailbox in self._open:
            await leave(mailbox)

    # -- what goes into the queue

    def entry(self) -> Entry:
        """The entry of the message, without recipients."""
        envelope = self._envelope
        seconds = envelope.trace.seconds
        sender = "" if envelope.sender is None else str(envelope.sender)
        options = envelope.options
        return Entry(envelope.trace.id, sender, seconds, 0, [], options, next=seconds)

    def before(self) -> bytes:
        """What is put before the message in the queue."""
        envelope = self._envelope
        path = self.recipients[0].path if self._alone else None
        return received(envelope.trace, path) + envelope.fields + self._gap

    async def take_back(self) -> None:
        """Remove all copies: the client will send again."""
        for copy in self._copies.values():
            if copy.mailbox is None or not copy.uid:
                continue
            try:
                await copy.mailbox.expunge([copy.uid], None, keep=False)
            except MaildropError:
                self._log.failure(
                    "{id}: a copy is left in {folder} uid {uid}",
                    id=self._envelope.trace.id,
                    folder=copy.mailbox.name,
                    uid=copy.uid,
                )

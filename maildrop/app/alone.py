"""Delivery in a process of its own, without a server and without a reactor.

In this file:
    Alone       delivers to the users of a configuration
    Stripped    a message without what the program before us put at its top
    check_loop  sees that it does not go round in circles
    at_once     runs a coroutine that never has to wait
    Unwatched   tells nobody of changes on disk
    here        runs a job at once, where it is called

The store does the work, in the steps in which it does it for the server; what waits for
the disk waits here and now, so no coroutine is ever left unfinished.  A server may run
beside it.

Errors: those of the store.

Limits: octets of a message; Received fields (RFC 5321 section 6.3).
"""

import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

from maildrop.app.direct import Direct
from maildrop.app.schema import Configuration
from maildrop.decisions.recorder import Recorder
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.mailboxes import leave, opened
from maildrop.delivery.received import (
    delivered_to,
    head,
    hops,
    message_id,
    received_here,
)
from maildrop.durable import Content
from maildrop.errors import (
    MailboxVanished,
    MaildropError,
    MailLoop,
    MessageTooLarge,
    ProtocolSyntaxError,
)
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.names import INBOX
from maildrop.mailbox.quota import Counted
from maildrop.sendmail.letter import Letter, NoAddress, address_list
from maildrop.smtp.wire.path import Path, path_of

T = TypeVar("T")

#: Received fields that a message may have.
HOPS: Final = 100
_TRACE: Final = (b"return-path", b"delivered-to", b"x-original-to", b"envelope-to")


class Unwatched:
    """Nobody wants to hear of changes: we are gone before there are any."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        """See ``mailbox.gate.Watcher``."""
        del paths, changed
        return _nothing


def _nothing() -> None:
    """Nothing is to be ended."""


def here(job: Callable[[], T]) -> Deferred[T]:
    """Run a job at once."""
    return maybeDeferred(job)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait.

    Raises:
        RuntimeError: It waits.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a coroutine waits, and there is nothing to wait for")


@dataclass(frozen=True, slots=True)
class Stripped:
    """A message without what the program before us put at its top.

    Attributes:
        message: With CRLF line ends.
        header: Its fields.
        sender: The reverse path that was told there: None for ``<>``, and if none was.
    """

    message: bytes
    header: bytes
    sender: Path | None

    @classmethod
    def of(cls, octets: bytes, recipient: Path) -> "Stripped":
        """Take off what we put there ourselves.

        A mail transport agent that calls a program puts a ``From `` line, Return-Path
        and Delivered-To there for this very delivery (local(8) and pipe(8) of Postfix),
        before all Received fields.  A Delivered-To with our address there is no loop;
        one further down is.

        Args:
            octets: The message, lines ending in LF or CRLF.
            recipient: The address that will stand in our Delivered-To.

        Raises:
            LimitExceeded: The header has no end for too long.
        """
        letter = Letter.read(octets)
        top = 0
        while top < len(letter.fields) and letter.fields[top][0] in _TRACE:
            top += 1
        told = [_from_line(octets)]
        kept = []
        for name, field in letter.fields[:top]:
            value = field.partition(b":")[2].strip()
            if name == b"return-path":
                told.append(value)
            elif name != b"delivered-to" or value != str(recipient).encode():
                kept.append((name, field))
        letter.fields[:top] = kept
        header = b"".join(field for _, field in letter.fields)
        return cls(bytes(letter), header, _path(told[-1]))


def _from_line(octets: bytes) -> bytes:
    """The reverse path in the first line, as mbox files have it; or nothing."""
    line = octets[:1000].partition(b"\n")[0]
    words = line.split()
    return words[1] if line.startswith(b"From ") and len(words) > 1 else b""


def _path(told: bytes) -> Path | None:
    if told.strip(b"<> ").upper() in {b"", b"MAILER-DAEMON"}:
        return None
    try:
        found = address_list(told)
        return path_of(found[0]) if len(found) == 1 else None
    except (NoAddress, ProtocolSyntaxError):
        return None


class Alone:
    """Delivers to the users of a configuration.

    Args:
        configuration: Names them.
        direct: Opens their stores.
        now: Seconds since 1970 UTC.
        random: Gives unpredictable octets.
        uid: The account of this process.
        recorder: Is told what was delivered, and what was not.
    """

    def __init__(
        self,
        configuration: Configuration,
        direct: Direct,
        *,
        now: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        uid: int | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder or Recorder()
        self._configuration = configuration
        self._direct = direct
        self._now = now
        self._ids = TraceIds(now, random)
        self._uid = os.getuid() if uid is None else uid

    def address(self, account: Account, detail: str) -> Path:
        """The address of an account, with a detail perhaps."""
        local, at, domain = account.name.rpartition("@")
        if not at:
            local, domain = account.name, self._configuration.mail.domains[0]
        if detail:
            local += self._configuration.mail.separator[:1] + detail
        return Path(local, domain)

    def deliver(
        self,
        account: Account,
        octets: bytes,
        *,
        sender: Path | None = None,
        told: bool = False,
        detail: str = "",
        folder: str = "",
    ) -> tuple[str, int]:
        """Store a message for a user; it is on disk when this returns.

        Args:
            account: The user's.
            octets: The message, lines ending in LF or CRLF.
            sender: The reverse path, None for ``<>``.
            told: ``sender`` was told; else it is what the message says.
            detail: Of the address; the folder of that name if there is one.
            folder: The folder, if there is one of that name.

        Returns:
            The mailbox, and the UID there.

        Raises:
            MailLoop: It was here before, or has travelled too far.
            MessageTooLarge: It is over the limit.
            MaildropError: It cannot be stored.
        """
        most = self._configuration.limits.message
        if len(octets) > most:
            raise MessageTooLarge(f"the message has over {most} octets")
        path, trace_id = self.address(account, detail), self._ids.next()
        stripped = Stripped.of(octets, path)
        reverse = sender if told else stripped.sender
        self._recorder.note(
            trace_id,
            "message",
            sender=reverse or "<>",
            size=len(stripped.message),
            message_id=message_id(stripped.message),
            service="deliver",
            uid=self._uid,
        )
        try:
            check_loop(stripped.header, path)
            found = self._store(
                stripped, reverse, path, account, folder or detail or INBOX, trace_id
            )
        except MaildropError as error:
            self._recorder.note(
                trace_id, "not delivered", recipient=path, why=str(error)
            )
            raise
        self._recorder.note(
            trace_id,
            "delivered",
            recipient=path,
            user=account.name,
            folder=found[0],
            uid=found[1],
        )
        return found

    def _store(
        self,
        stripped: Stripped,
        sender: Path | None,
        path: Path,
        account: Account,
        folder: str,
        trace_id: str,
    ) -> tuple[str, int]:
        field = received_here(
            trace_id, self._uid, self._configuration.hostname, self._now(), path
        )
        content = Content.of(stripped.message)
        message = NewMessage(
            content, head(field, sender, path), counted=Counted.DELIVERED
        )
        post = Post(self._direct.open, here, self._direct.rights.as_owner, Unwatched())
        try:
            return at_once(_stored(post, account, folder, message))
        finally:
            content.close()


def check_loop(header: bytes, recipient: Path) -> None:
    """See that a message does not go round in circles.

    Raises:
        MailLoop: It does.
    """
    if hops(header) > HOPS:
        raise MailLoop(f"over {HOPS} Received fields")
    if str(recipient).lower() in delivered_to(header):
        raise MailLoop("a Delivered-To field has that address already")


async def _stored(
    post: Post, account: Account, folder: str, message: NewMessage
) -> tuple[str, int]:
    try:
        try:
            return await _appended(post, account, folder, message)
        except MailboxVanished:  # renumbered or renamed under us: open it again
            return await _appended(post, account, folder, message)
    finally:
        await post.close()


async def _appended(
    post: Post, account: Account, folder: str, message: NewMessage
) -> tuple[str, int]:
    mailbox = await opened(post, account, folder)
    try:
        [uid] = await mailbox.append([message])
        return mailbox.name, uid
    finally:
        await leave(mailbox)

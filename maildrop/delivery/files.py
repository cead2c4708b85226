"""Files: mail appended to an mbox, or put into a Maildir, that one of our files names.

In this file:
    Files       does it: the relay ``file`` of the queue
    Deposits    writes such files: ``storage.plain.deposit``

It is done with the rights of the owner of the file that names it, so nothing can be
reached that its owner could not have written without us.

Errors, as status codes (RFC 3463): full 4.2.2, locked 4.2.0, a failing disk 4.3.0, all
tried again; not allowed, or no regular file 5.2.0: given back.

Security: as ``delivery.child``: nothing is written as root, nor for others where we are
not root.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from twisted.logger import Logger

from maildrop.delivery.actions import Strange, ToFile, as_action
from maildrop.delivery.written import written
from maildrop.errors import MailboxInUse, MaildropError, NoSpace, PermanentError
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.queue.entry import Kind, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job


class Deposits(Protocol):
    """Writes files that are not ours, as their other users expect.

    A message that is there already, after a crash, is not written again.
    """

    def append(self, path: str, message: bytes, sender: str, date: float) -> None:
        """Append a message to an mbox file; it is on disk when this returns.

        Args:
            path: The file, made if missing.
            message: With its fields on top, LF line ends.
            sender: The reverse path.
            date: When it came, seconds since 1970 UTC.
        """

    def put(self, path: str, message: bytes, key: str, date: float) -> None:
        """Put a message into a Maildir; it is on disk when this returns.

        Args:
            path: The Maildir, made if missing.
            message: With its fields on top, LF line ends.
            key: Letters, digits and dots that no other message has.
            date: When it came, seconds since 1970 UTC.
        """


class Files:
    """Writes files: the relay ``file`` of the queue.

    Args:
        deposits: Writes them.
        as_owner: A context in which files are touched with somebody's rights.
        objection: Why nothing may be done with somebody's rights: ``Children``.
        account: The account of a user's name.
        in_thread: Where files are written.
    """

    _log = Logger()

    def __init__(
        self,
        deposits: Deposits,
        as_owner: Callable[[Account], AbstractContextManager[object]],
        objection: Callable[[Account], str],
        account: Callable[[str], Account | None],
        in_thread: InThread,
    ) -> None:
        self._deposits = deposits
        self._as_owner = as_owner
        self._objection = objection
        self._account = account
        self._in_thread = in_thread

    async def relay(self, job: Job) -> Attempt:
        """Write a message into a file, for each recipient that wants it there."""
        results = []
        for waiting in job.recipients:
            kind, status = await self._one(job, waiting)
            results.append(Result(waiting.number, kind, status))
        return Attempt(results)

    async def _one(self, job: Job, waiting: Waiting) -> tuple[Kind, Status]:
        try:
            action = as_action(waiting, self._account)
            if not isinstance(action, ToFile):
                return Kind.WAITING, Status("4.3.5", "no file is named")
            objection = self._objection(action.rights)
            if objection:
                return Kind.WAITING, Status("4.3.5", f"{action.path}: {objection}")
            await self._in_thread(functools.partial(self._write, job, waiting, action))
        except Strange as error:
            return Kind.WAITING, Status("4.3.5", str(error))
        except MaildropError as error:
            self._log.warn(
                "{id}: not written for {recipient}: {error}",
                id=job.entry.id,
                recipient=waiting.address,
                error=str(error),
            )
            return _failed(error)
        self._log.info(
            "{id}: written to {path} for {recipient} as {user}",
            id=job.entry.id,
            path=action.path,
            recipient=waiting.address,
            user=action.rights.name,
        )
        return Kind.DELIVERED, Status("2.0.0", "written to a file")

    def _write(self, job: Job, waiting: Waiting, action: ToFile) -> None:
        entry, content = job.entry, job.content()
        try:
            pieces = written(
                content.octets(),
                job.sender,
                waiting.address,
                entry.arrived,
                from_line=False,
            )
            message = b"".join(pieces)
        finally:
            content.close()
        with self._as_owner(action.rights):
            if action.path.endswith("/"):
                key = f"{entry.id}R{waiting.number}"
                self._deposits.put(action.path, message, key, entry.arrived)
            else:
                self._deposits.append(action.path, message, job.sender, entry.arrived)


def _failed(error: MaildropError) -> tuple[Kind, Status]:
    text = str(error)
    if isinstance(error, NoSpace):
        return Kind.WAITING, Status("4.2.2", text)
    if isinstance(error, MailboxInUse):
        return Kind.WAITING, Status("4.2.0", text)
    if isinstance(error, PermanentError):
        return Kind.FAILED, Status("5.2.0", text)
    return Kind.WAITING, Status("4.3.0", text)

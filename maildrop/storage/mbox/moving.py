"""MOVE between mboxes: a message is in one of them, whatever happens.

In this file:
    Moves    the moves of one account, one at a time

Two files cannot be changed in one step, so a journal and a note decide:

| step | a crash after it |
|---|---|
| 1 ``maildrop.moving`` written, synced: key, source, UIDs, target | it is removed |
| 2 copied to the target (``intent``); its record has a note with the key | 3 is done |
| 3 expunged from the source (``rewrite``) | nothing is left to do |
| 4 ``maildrop.moving`` removed, then the note | done |

The next one to open any mailbox of the account looks for the file, and if nobody holds
its lock finishes what it says: the note in the target tells whether step 2 was done.

An error in step 3 takes nothing back: the removal may have been decided already.  The
file stays, and the next one goes on.

File: a JSON object with ``key``, ``source``, ``uid_validity``, ``uids``, ``target``.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from twisted.logger import Logger

from maildrop.durable import open_to_read, translated
from maildrop.errors import MailboxInUse, MaildropError, PermanentError, TemporaryError
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.mailbox.quota import Counted
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now, locked
from maildrop.storage.mbox import intent
from maildrop.storage.mbox.copying import copied

_FILE: Final = "maildrop.moving"
_OCTETS_MAX: Final = 1 << 28


class Staged(Protocol):
    """What ``stage`` of an mbox gives.

    Attributes:
        restoring: Keys that are noted with the record; see ``intent``.
    """

    restoring: Sequence[bytes]


class Movable(StoredMailbox, Protocol):
    """What is needed of a mailbox."""

    @property
    def numbers(self) -> Ledger:
        """Its ledger."""

    def stage(self, messages: Sequence[NewMessage]) -> Staged:
        """First half of adding."""

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """Remove messages; they can come back if ``keep``."""


class Moves:
    """The moves of one account.

    Args:
        control: The account's control directory.
        host: Disk, chance, and the longest wait for the lock.
        opened: Opens a mailbox.
    """

    _log = Logger()

    def __init__(
        self, control: str, host: Host, opened: Callable[[str], Movable]
    ) -> None:
        self._path = os.path.join(control, _FILE)
        self._host = host
        self._opened = opened

    def _locked(self) -> AbstractContextManager[int]:
        return locked(self._path + ".lock", self._host)

    def move(
        self, source: Movable, uids: Sequence[int], target: Movable, by: object | None
    ) -> Copied:
        """Move messages.

        Raises:
            TemporaryError: They are where they were; or they are moved as soon as that
                can be done.
        """
        self.go_on()
        disk = self._host.disk
        key = self._host.random(8).hex()
        plan = {
            "key": key,
            "source": source.name,
            "uid_validity": source.table.uid_validity,
            "uids": list(uids),
            "target": target.name,
        }
        with self._locked():
            with translated(f"write {self._path}"):
                disk.replace_file(self._path, json.dumps(plan).encode())
            try:
                moved = _copied(source, uids, target, key.encode())
            except MaildropError:
                self._remove()
                raise
            source.expunge(moved.source, by, keep=False)
            self._remove()
            with contextlib.suppress(TemporaryError):
                intent.forget_moved(target.numbers)
        return moved

    def _remove(self) -> None:
        try:
            self._host.disk.unlink(self._path)
        except OSError as error:  # the next one finds that nothing is to be done
            self._log.warn("{path} stays: {error}", path=self._path, error=str(error))

    def go_on(self) -> None:
        """Somebody may have died while moving."""
        if not os.path.lexists(self._path):
            return
        try:
            with self._locked_now():
                self._finish()
        except TemporaryError as error:
            self._log.warn(
                "a move is not finished yet: {error}", error=str(error), path=self._path
            )

    @contextlib.contextmanager
    def _locked_now(self) -> Iterator[None]:
        """Hold the lock, unless somebody else has it."""
        with translated(f"open {self._path}.lock"):
            fd = self._host.disk.append_to(self._path + ".lock")
        try:
            if not is_taken_now(fd):
                raise MailboxInUse("it is under way")
            yield
        finally:
            os.close(fd)

    def _plan(self) -> dict[str, Any]:
        try:
            with translated(f"read {self._path}"):
                fd = open_to_read(self._path)
        except FileNotFoundError:
            return {}
        with open(fd, "rb") as file:
            octets = file.read(_OCTETS_MAX)
        try:
            plan = json.loads(octets)
        except ValueError:
            return {}
        return plan if isinstance(plan, dict) else {}

    def _finish(self) -> None:
        plan = self._plan()
        if plan:
            try:
                self._carry_out(plan)
            except (PermanentError, LookupError, TypeError, ValueError) as error:
                # One of the mailboxes is gone, or somebody wrote nonsense.
                self._log.warn("a move is given up: {error}", error=str(error))
        self._remove()

    def _carry_out(self, plan: dict[str, Any]) -> None:
        with contextlib.ExitStack() as both:
            target = self._opened(str(plan["target"]))
            both.callback(target.close)
            target.refresh()
            if not intent.moved(target.numbers, str(plan["key"]).encode()):
                return
            source = self._opened(str(plan["source"]))
            both.callback(source.close)
            source.refresh()
            if source.table.uid_validity == plan["uid_validity"]:
                source.expunge([int(uid) for uid in plan["uids"]], None, keep=False)
            intent.forget_moved(target.numbers)


def _copied(
    source: Movable, uids: Sequence[int], target: Movable, key: bytes
) -> Copied:
    """Copy messages; the target's record has a note with the key."""

    def stage(messages: Sequence[NewMessage]) -> Staged:
        staged = target.stage(messages)
        staged.restoring = (intent.MOVED + key,)
        return staged

    return copied(source, uids, target, Counted.MOVED, stage=stage)

"""How much an account may still take: its quota, and what its mailboxes hold.

In this file:
    Allowance    of one account

Nothing is counted twice: the ledger of each mailbox says what is in it, exactly and
after any crash, and an account holds the sum.  What was found out about a mailbox is
remembered with the state its ledger was in (``totals.Mark``), in memory and in the file
``maildrop.quota``; a mailbox in another state is looked at again.  So the file is never
wrong, may be lost, and is written only when something had to be looked at.  It costs a
stat for each mailbox, and what is open in this process less.

    maildrop.quota = "mdquota 1" SP boot NL *line crc NL
    line           = inode SP size SP changed SP octets SP messages SP directory NL

The quota is asked with the ledger of the target locked, right before the record of the
new messages is appended: who adds to the same mailbox is waited for and counted.  Those
who add to different mailboxes of the account in the same instant are not; together they
may go beyond the limits by what one of them adds.  Nobody waits for a second lock.

Warnings: which one was last told stands in ``maildrop.quota.told``, changed under the
lock ``maildrop.quota.lock``, which nobody waits for: who does not get it leaves the
telling to the one that has it, or to the next delivery.

An account without a quota pays nothing for all this.
"""

import contextlib
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.durable import open_to_read
from maildrop.mailbox.quota import Counted, Quota, Reached, Usage, level
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.locks import is_taken_now
from maildrop.storage.index.totals import Mark, mark_of, mark_of_open, peek

_NAME: Final = "maildrop.quota"
_OCTETS_MAX: Final = 1 << 22


class Allowance:
    """How much one account may still take.

    Args:
        directory: Where the files are.
        mailboxes: Gives the directory of the ledger of each mailbox.
        host: Disk.
    """

    _log = Logger()

    def __init__(
        self, directory: str, mailboxes: Callable[[], Iterable[str]], host: Host
    ) -> None:
        self._path = os.path.join(directory, _NAME)
        self._mailboxes = mailboxes
        self._host = host
        self._quota: Quota | None = None
        self._reached: Callable[[Reached], None] | None = None
        self._open: dict[str, Ledger] = {}
        self._known: dict[str, tuple[Mark, Usage]] | None = None
        self._told: int | None = None

    def limit(
        self, quota: Quota | None, reached: Callable[[Reached], None] | None
    ) -> None:
        """See ``quota.LimitedStore``."""
        self._quota = quota or None
        self._reached = reached

    def opened(self, directory: str, ledger: Ledger) -> None:
        """A mailbox is open in this process."""
        self._open[directory] = ledger

    def closed(self, directory: str, ledger: Ledger) -> None:
        """It is not any more."""
        if self._open.get(directory) is ledger:
            del self._open[directory]

    # -- asking

    def used(self, *, recount: bool = False) -> Usage:
        """What is there in all mailboxes.

        Args:
            recount: Take nothing on trust that was counted before.
        """
        before = {} if recount else self._remembered()
        known: dict[str, tuple[Mark, Usage]] = {}
        total = Usage()
        looked = recount
        for directory in self._mailboxes():
            usage = None if recount else self._at_hand(directory)
            if usage is None:
                found = before.get(directory)
                if found is None or found[0] != mark_of(directory):
                    found = peek(directory) or found
                    looked = True
                if found is None:
                    continue
                known[directory] = found
                usage = found[1]
            elif directory in before:
                known[directory] = before[directory]
            total += usage
        self._known = known
        if looked:
            self._write(known)
        return total

    def _at_hand(self, directory: str) -> Usage | None:
        """What is in a mailbox that is open here, if nobody changed it since."""
        ledger = self._open.get(directory)
        if ledger is None:
            return None
        try:
            mark = mark_of_open(ledger.written)
            if not ledger.unchanged() or mark != mark_of(directory):
                return None  # also if another mailbox has the name now
        except OSError:  # it was closed just now
            return None
        return Usage(ledger.table.octets(), len(ledger.table))

    # -- adding

    def begin(self) -> Usage:
        """What is there, if that matters; ``admit`` and ``added`` follow."""
        quota = self._quota
        if quota is None:
            return Usage()
        if self._told is None and quota.warnings:
            self._told = self._read_told()
        return self.used()

    def admit(self, before: Usage, sizes: Sequence[int], counted: Counted) -> Usage:
        """See whether messages may be added.

        Args:
            before: What is there, with those admitted just before.
            sizes: Octets of the messages.
            counted: How they are held against the quota.

        Returns:
            What will be there.

        Raises:
            OverQuota: They may not.
        """
        if self._quota is None:
            return before
        more = Usage(sum(sizes), len(sizes))
        self._quota.check(before, more, counted)
        return before + more

    def added(self, before: Usage, after: Usage) -> None:
        """Messages were added: tell of a warning that is due.

        Args:
            before: What was there.
            after: What is there now.
        """
        quota = self._quota
        if quota is None or not quota.warnings or self._reached is None:
            return
        was, now = level(quota, before), level(quota, after)
        if was == now == self._told:
            return
        with contextlib.suppress(OSError):
            fd = self._host.disk.append_to(self._path + ".lock")
            try:
                if is_taken_now(fd):
                    self._tell(quota, was, now, after)
            finally:
                os.close(fd)

    def _tell(self, quota: Quota, was: int, now: int, used: Usage) -> None:
        told = self._read_told()
        # Somebody else may have told of it since we last looked.
        least = min(was, told) if told == self._told else max(was, told)
        if now != told:
            self._replace(f"{self._path}.told", b"%d" % now)
        self._told = now
        if now > least and self._reached is not None:
            self._reached(Reached(now, used, quota))

    def _read_told(self) -> int:
        text = _read(f"{self._path}.told")
        return int(text) if text.isdigit() else 0

    # -- the file

    def _remembered(self) -> dict[str, tuple[Mark, Usage]]:
        if self._known is None:
            self._known = self._load()
        return self._known

    def _load(self) -> dict[str, tuple[Mark, Usage]]:
        body, _, crc = _read(self._path).rstrip(b"\n").rpartition(b"\n")
        if not crc.isdigit() or int(crc) != zlib.crc32(body):
            return {}
        first, *lines = body.split(b"\n")
        if first != self._first():
            return {}
        known = {}
        for line in lines:
            *numbers, directory = line.split(b" ", 5)
            inode, size, changed, octets, messages = map(int, numbers)
            mark = Mark(inode, size, changed)
            known[os.fsdecode(directory)] = mark, Usage(octets, messages)
        return known

    def _first(self) -> bytes:
        return b"mdquota 1 " + self._host.boot.hex().encode()

    def _write(self, known: dict[str, tuple[Mark, Usage]]) -> None:
        lines = [self._first()]
        lines += [
            b"%d %d %d %d %d " % (*mark, usage.octets, usage.messages)
            + os.fsencode(directory)
            for directory, (mark, usage) in known.items()
            if "\n" not in directory
        ]
        body = b"\n".join(lines)
        try:
            self._replace(self._path, body + b"\n%d\n" % zlib.crc32(body))
        except OSError as error:
            self._log.debug("{path}: {error}", path=self._path, error=str(error))

    def _replace(self, path: str, octets: bytes) -> None:
        """Put a file in the place of another, without waiting for the disk.

        A power cut may leave none, or a part, which its reader does not believe.
        """
        disk, beside = self._host.disk, f"{path}.{self._host.process}.tmp"
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(beside)
        fd = disk.create(beside)
        try:
            disk.write(fd, octets)
        finally:
            os.close(fd)
        disk.rename(beside, path)


def _read(path: str) -> bytes:
    try:
        fd = open_to_read(path)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(_OCTETS_MAX)

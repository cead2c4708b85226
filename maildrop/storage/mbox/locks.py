"""Locks on an mbox, in the order that all programs of the host use.

In this file:
    MboxLock    holds the locks of one file for a block
    METHODS     the lock methods and their default order

Debian's policy for mail spools is fcntl(2) first, then a dotlock; the reverse order
deadlocks with mutt.  Whatever the order, a lock that is not free makes us let go of
those we hold before we try again, so we never wait while holding one.

fcntl:   an open-file-description lock: it excludes every process' POSIX lock, and other
         threads of ours too.  Readers share it.
flock:   for hosts where the deliverers use it.
dotlock: FILE.lock, made by link(2) from a file of its own so that it is safe on NFS
         (liblockfile's way); writers make it.  Readers wait for one of others when the
         file is not as it was: programs that know no other lock (lockfile(1) in shell
         scripts) write it anew in place, and half of it is no news.  It is stale when
         its process is gone from this host; when it names none and has not been touched
         for five minutes; when besides the machine started since then, whatever process
         has the number now.  A stale one is renamed away before it is removed, so that
         two who find it stale cannot remove each other's new lock.  Where the directory
         may not be written (a spool without the group's right) it is left out, as mutt
         does.  On a full disk it stays empty: what frees room, or only ends what was
         begun, must go on.

Calls on one mailbox follow one another, so those that come after one that has waited
in vain do not wait as long again, each: for as long as that one has waited they are
refused after a moment.

Errors: ``MailboxInUse`` when the wait is over, never a hang; ``NoSpace`` and its kin
when the dotlock cannot be made.
"""

import contextlib
import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from maildrop.durable import open_to_read, translated
from maildrop.errors import MailboxInUse
from maildrop.storage.index.host import Host

METHODS: Final = ("fcntl", "dotlock")
#: Seconds after which an untouched dotlock of an unknown process is stale.
STALE_AFTER: Final = 300.0
#: Seconds to wait for a lock for which somebody has just waited in vain.
_BRIEFLY: Final = 0.1

_log = Logger()
_FLOCK: Final = "hhqqi4x"


class MboxLock:
    """The locks of one mbox file.

    Args:
        path: The mbox.
        host: Disk, time, sleep and the longest wait.
        methods: Any of ``fcntl``, ``flock``, ``dotlock``, in the order to take them.
    """

    def __init__(self, path: str, host: Host, methods: Sequence[str] = METHODS) -> None:
        self._path = path
        self._dotlock = path + ".lock"
        self._disk = host.disk
        self._host = host
        self._methods = tuple(methods)
        self._made = False
        self._left = False  # we could not remove ours
        self._refused_until = 0.0

    @contextlib.contextmanager
    def held(
        self, fd: int, *, shared: bool = False, heed: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Hold the locks for a block.

        Args:
            fd: The open mbox; open for writing unless ``shared``.
            shared: For reading: others may read too, and no dotlock is made.
            heed: Asked when reading meets a dotlock: whether that is to be waited for.

        Raises:
            MailboxInUse: Somebody held a lock for longer than the host's wait.
        """
        methods = [m for m in self._methods if not (shared and m == "dotlock")]
        began = self._host.monotonic()
        brief = began < self._refused_until
        wait = self._host.lock_seconds
        end = began + (min(wait, _BRIEFLY) if brief else wait)
        pause = 0.001
        while not self._try(fd, methods, shared=shared) or (
            shared and self._must_heed(fd, methods, heed)
        ):
            now = self._host.monotonic()
            if now >= end:
                if not brief:
                    self._refused_until = now + self._host.lock_seconds
                raise MailboxInUse(
                    f"{self._path} is locked by another program"
                    f" for {self._host.lock_seconds:g} s"
                )
            self._host.sleep(pause)
            pause = min(pause * 2, 0.2)
        self._refused_until = 0.0
        try:
            yield
        finally:
            self._release(fd, methods)

    def _try(self, fd: int, methods: Sequence[str], *, shared: bool) -> bool:
        for index, method in enumerate(methods):
            if not self._take(fd, method, shared=shared):
                self._release(fd, methods[:index])
                return False
        return True

    def _must_heed(
        self, fd: int, methods: Sequence[str], heed: Callable[[], bool]
    ) -> bool:
        """Whether a reader is to wait for a dotlock; lets go of the locks then."""
        if (
            "dotlock" not in self._methods
            or not os.path.lexists(self._dotlock)
            or not heed()
        ):
            return False
        self.clear_stale()
        if not os.path.lexists(self._dotlock):
            return False
        self._release(fd, methods)
        return True

    def _take(self, fd: int, method: str, *, shared: bool) -> bool:
        if method == "dotlock":
            return self._take_dotlock()
        try:
            if method == "flock":
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(fd, kind | fcntl.LOCK_NB)
            else:
                _set_ofd_lock(fd, fcntl.F_RDLCK if shared else fcntl.F_WRLCK)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _release(self, fd: int, methods: Sequence[str]) -> None:
        for method in reversed(methods):
            if method == "dotlock":
                self._release_dotlock()
            elif method == "flock":
                fcntl.flock(fd, fcntl.LOCK_UN)
            else:
                _set_ofd_lock(fd, fcntl.F_UNLCK)

    # -- dotlock

    def _take_dotlock(self) -> bool:
        if self._left:
            self._release_dotlock()
        own = os.path.join(os.path.dirname(self._path), f".maildrop.{self._unique()}")
        with translated(f"make {self._dotlock}"):
            try:
                fd = self._disk.create(own, 0o644)
            except PermissionError:
                self._made = False
                return True
            return self._take_by_link(own, fd)

    def _take_by_link(self, own: str, fd: int) -> bool:
        try:
            with contextlib.suppress(OSError):  # the number only tells a stale lock
                self._disk.write(fd, b"%d\n" % os.getpid())
            try:
                self._disk.link(own, self._dotlock)
            except FileExistsError:
                # On NFS the reply may be lost: the count of links tells.
                if os.fstat(fd).st_nlink != 2:
                    self.clear_stale()
                    return False
            self._made = True
            return True
        finally:
            os.close(fd)
            self._remove(own)

    def _unique(self) -> str:
        host = self._host
        return f"{host.name.decode()}.{host.process}.{host.random(6).hex()}"

    def _release_dotlock(self) -> None:
        if self._made:
            self._left = not self._remove(self._dotlock)

    def _remove(self, path: str) -> bool:
        """Remove a file of ours; what was done under the lock is done in any case."""
        for _ in range(2):
            with contextlib.suppress(OSError):
                self._disk.unlink(path)
            if not os.path.lexists(path):
                return True
        _log.error("{path} cannot be removed; remove it", path=path)
        return False

    def stale(self) -> os.stat_result | None:
        """The dotlock, if its holder is gone."""
        try:
            fd = open_to_read(self._dotlock)
        except OSError:
            return None
        try:
            text = os.read(fd, 32)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return found if self._is_stale(text, found.st_mtime) else None

    def clear_stale(self) -> None:
        """Remove a dotlock whose holder is gone."""
        found = self.stale()
        if found is None:
            return
        aside = f"{self._dotlock}.{self._unique()}"
        with contextlib.suppress(OSError):
            self._disk.rename(self._dotlock, aside)
            if os.stat(aside).st_ino != found.st_ino:
                # A new lock was made between look and rename: give it back.
                self._disk.link(aside, self._dotlock)
            self._disk.unlink(aside)

    def _is_stale(self, text: bytes, touched: float) -> bool:
        old = self._host.clock() - touched > STALE_AFTER
        if old and touched < self._host.started:
            return True  # whoever has that number now, it is another process
        digits = text.strip(b" \n\0")
        if digits.isdigit() and 0 < int(digits) < 2**22:
            return not _is_running(int(digits))
        return old


def _is_running(process: int) -> bool:
    """Whether there is such a process; one that only waits for its parent is none."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # proc(5): the state follows the name, which may hold anything
        text = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return True
    return text.rpartition(b")")[2].split()[:1] != [b"Z"]


def _set_ofd_lock(fd: int, kind: int) -> None:
    """Lock or unlock the whole file for this open file description (fcntl(2))."""
    whole = struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, whole)

"""What a store takes from the machine it runs on: disk, time, names, chance.

In this file:
    Host        all of it; tests give their own
    Host.here   the real one
"""

import itertools
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from maildrop.durable import Disk
from maildrop.storage.index.pace import Pace


def _waits() -> int:
    """Voluntary switches of the calling thread: getrusage(2)."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


@dataclass(frozen=True, slots=True)
class Host:
    """The machine and the process, as far as a store cares.

    Attributes:
        disk: The calls that make things durable.
        clock: Seconds since 1970 UTC.
        monotonic: Seconds that never go back, for waits.
        sleep: Waits some seconds; used only while another process holds a lock.  Where
            waiting is no good it raises ``steps.MustWait``.
        name: Host name, for unique file names.
        process: Number of this process, for unique file names.
        boot: Differs after every start of the machine.
        started: When it started, in seconds since 1970 UTC; 0 if unknown.
        random: Gives so many random octets.
        lock_seconds: How long to wait for a lock that another process holds.
        pace: How quick the disk was lately.
        waits: How often this thread had to wait for anything.  What took long without
            that was only made to stand aside for others.
    """

    disk: Disk
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    name: bytes
    process: int
    boot: bytes
    random: Callable[[int], bytes]
    lock_seconds: float = 10.0
    started: float = 0.0
    pace: Pace = field(default_factory=Pace)
    waits: Callable[[], int] = _waits
    _serial: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @classmethod
    def here(
        cls,
        disk: Disk | None = None,
        *,
        lock_seconds: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> "Host":
        """The machine this runs on."""
        return cls(
            disk=disk or Disk(),
            clock=time.time,
            monotonic=time.monotonic,
            sleep=sleep,
            name=socket.gethostname().encode(),
            process=os.getpid(),
            boot=_boot_id(),
            random=os.urandom,
            lock_seconds=lock_seconds,
            started=time.time() - time.clock_gettime(time.CLOCK_BOOTTIME),
        )

    def serial(self) -> int:
        """A number that this process has not used."""
        return next(self._serial)


def _boot_id() -> bytes:
    """16 octets that change with every start of the machine; zeros if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return bytes.fromhex(file.read(64).replace(b"-", b"").decode("ascii"))[:16]
    except (OSError, ValueError):
        return bytes(16)

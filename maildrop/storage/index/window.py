"""A file read through a window: few system calls, and no memory map.

A map would be a little faster, but whoever owns the file may cut it short at any
moment, and the process that touches a missing page of a map is killed.  The mail files
belong to users, so nothing of theirs is ever mapped.

In this file:
    Window    reads pieces; neighbours come out of one system call
"""

import os
from typing import Final

_SMALL: Final = 1 << 12
_LARGE: Final = 1 << 18


class Window:
    """Pieces of a file that is only ever appended to.

    Args:
        fd: The file, open for reading; the window closes it.
    """

    __slots__ = ("_step", "end", "fd", "octets", "start")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.start = 0
        self.end = 0
        self.octets = b""
        self._step = _SMALL

    def move(self, offset: int, length: int) -> int:
        """Make ``octets`` hold ``length`` octets from ``offset``, if the file has them.

        Returns:
            Where in ``octets`` they begin.
        """
        at = offset - self.start
        if at >= 0 and offset + length <= self.end:
            return at
        # Going on where the window ends: somebody walks through, so take more.
        walks = self.start <= offset <= self.end + _SMALL and self.end > self.start
        self._step = min(self._step * 4, _LARGE) if walks else _SMALL
        self.octets = os.pread(self.fd, max(length, self._step), offset)
        self.start = offset
        self.end = offset + len(self.octets)
        return 0

    def piece(self, offset: int, length: int) -> bytes:
        """``length`` octets at ``offset``; fewer when the file ends before."""
        at = self.move(offset, length)
        return self.octets[at : at + length]

    def line(self, offset: int, stop: bytes) -> bytes | None:
        """The octets from ``offset`` up to the octet ``stop``; None without one."""
        length = 256
        while True:
            at = self.move(offset, length)
            found = self.octets.find(stop, at)
            if found >= 0:
                return self.octets[at:found]
            if self.end - offset < length:
                return None
            length *= 4

    def forget(self) -> None:
        """Let go of the octets read."""
        self.octets = b""
        self.start = self.end = 0

    def close(self) -> None:
        """Close the file."""
        self.forget()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

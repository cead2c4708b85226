"""Octets looked for in memory, at the speed of memory.

In this file:
    Region    memory that is filled from files and looked through

The C library's memmem looks through 2 to 8 GB of text a second, ``bytes.find`` through
1 to 2.  It is called with Python's own lock held: letting go of that for each of ten
thousand hits would cost more than it spares.  Where there is no memmem, ``find`` it is.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Final

#: Address and length of the memory, what to find, its length -> address, None if none.
_Memmem = Callable[[int, int, bytes, int], int | None]


def _memmem() -> _Memmem | None:
    try:
        found = ctypes.PyDLL(None).memmem
    except (OSError, AttributeError):
        return None
    found.restype = ctypes.c_void_p
    found.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_char_p,
        ctypes.c_size_t,
    )
    return found


_MEMMEM: Final = _memmem()


class Region:
    """Memory for pieces of files, one after the other.

    Args:
        memmem: The C library's; None to do without.
    """

    __slots__ = ("_address", "_memmem", "_octets", "view")

    def __init__(self, memmem: _Memmem | None = _MEMMEM) -> None:
        self._memmem = memmem
        self._take(0)

    def _take(self, size: int) -> None:
        self._octets = bytearray(size)
        self.view = memoryview(self._octets)
        # The view keeps the octets where they are.
        exported = (ctypes.c_char * size).from_buffer(self._octets)
        self._address = ctypes.addressof(exported)

    def fill(self, fd: int, offset: int, length: int) -> bool:
        """Read a piece of a file; whether the file has all of it."""
        if len(self._octets) < length:
            self._take(max(length, 2 * len(self._octets)))
        done = 0
        while done < length:
            more = os.preadv(fd, [self.view[done:length]], offset + done)
            if not more:
                return False
            done += more
        return True

    def find(self, octets: bytes, start: int, end: int) -> int:
        """Where ``octets`` next stand from ``start`` on and before ``end``; else -1."""
        end = min(end, len(self._octets))
        if not octets or end - start < len(octets):
            return -1
        if self._memmem is None:
            return self._octets.find(octets, start, end)
        base = self._address
        found = self._memmem(base + start, end - start, octets, len(octets))
        return -1 if found is None else found - base

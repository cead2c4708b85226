"""Columns of numbers as octets: the same on every machine (little-endian).

In this file:
    to_octets      what stands on disk for a column
    from_octets    the column for what stands on disk
    zeros          a column of so many zeros
    read           the same, read into its place
"""

import os
import sys
import zlib
from array import array
from typing import Final

#: Type codes; ``array`` gives them the same widths on every Linux.
U32: Final = "I"
U64: Final = "Q"
I64: Final = "q"

_SWAP: Final = sys.byteorder == "big"


def to_octets(column: "array[int]") -> bytes:
    """The column as octets, little-endian."""
    if _SWAP:
        column = column[:]
        column.byteswap()
    return column.tobytes()


def from_octets(code: str, octets: bytes | memoryview) -> "array[int]":
    """A column from octets, little-endian.

    Raises:
        ValueError: Their number is no multiple of the width.
    """
    column: array[int] = array(code)
    column.frombytes(octets)
    if _SWAP:
        column.byteswap()
    return column


def zeros(code: str, count: int) -> "array[int]":
    """A column of zeros, in no more memory than it takes."""
    return array(code, [0]) * count


def read(fd: int, at: int, column: "array[int]") -> int:
    """Fill a column from a file, without a copy of its octets.

    Args:
        fd: The file.
        at: Where the column begins in it.
        column: Is filled, as far as the file goes.

    Returns:
        The checksum (CRC-32) of the octets on disk.
    """
    if not column:
        return 0
    with memoryview(column) as numbers, numbers.cast("B") as octets:
        os.preadv(fd, [octets], at)
        checksum = zlib.crc32(octets)
    if _SWAP:
        column.byteswap()
    return checksum

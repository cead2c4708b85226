"""Columns of numbers as octets: the same on every machine (little-endian).

In this file:
    to_octets      what stands on disk for a column
    from_octets    the column for what stands on disk
"""

import sys
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

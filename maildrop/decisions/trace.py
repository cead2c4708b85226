"""Ids: one for each message, in the log, the Received field and the reply.

In this file:
    TraceIds    makes them
    born        when one was made
    trace_id    makes one that follows from what it is for

An id is 13 letters and digits: milliseconds since 2020 and a random part, so that ids
sort by time, and those of several processes and hosts do not meet.
"""

from collections.abc import Callable
from typing import Final

#: Base 32 in an order that sorts, without I, L, O and U, which are read wrongly.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_START: Final = 1_577_836_800  # 2020-01-01 UTC
_RANDOM_OCTETS: Final = 3
_LENGTH: Final = 13
#: Each two letters: there is an id to be spelled for each message and connection.
_PAIRS: Final = tuple(a + b for a in _LETTERS for b in _LETTERS)


class TraceIds:
    """Makes ids.

    Args:
        now: Seconds since 1970 UTC.
        random: Gives unpredictable octets.
    """

    def __init__(
        self, now: Callable[[], float], random: Callable[[int], bytes]
    ) -> None:
        self._now = now
        self._random = random
        self._last = 0

    def next(self) -> str:
        """An id that was not given before."""
        milliseconds = max(0, int((self._now() - _START) * 1000))
        random = int.from_bytes(self._random(_RANDOM_OCTETS), "big")
        number = milliseconds << 8 * _RANDOM_OCTETS | random
        if number <= self._last:  # the same millisecond, or a clock set back
            number = self._last + 1
        self._last = number
        return _spelled(number)


def trace_id(seconds: float, random: bytes) -> str:
    """An id that follows from what it is given.

    Args:
        seconds: When the message came, since 1970 UTC.
        random: Unpredictable octets, such as a digest; the first ones are used.
    """
    milliseconds = max(0, int((seconds - _START) * 1000))
    few = int.from_bytes(random[:_RANDOM_OCTETS], "big")
    return _spelled(milliseconds << 8 * _RANDOM_OCTETS | few)


def _spelled(number: int) -> str:
    return (
        _LETTERS[number >> 60 & 31]
        + _PAIRS[number >> 50 & 1023]
        + _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )


def born(trace_id: str) -> float:
    """When an id was made, in seconds since 1970 UTC; 0 for what is none of ours."""
    number = 0
    for letter in trace_id[:_LENGTH]:
        at = _LETTERS.find(letter)
        if at < 0:
            return 0.0
        number = number << 5 | at
    return _START + (number >> 8 * _RANDOM_OCTETS) / 1000

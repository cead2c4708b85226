r"""File names of a Maildir.

In this file:
    base_of      the part that never changes, by which a message is known
    sizes        what a name says of the message's size
    uidl         what a message is called in POP3
    Letters      flags and keywords as letters, both ways
    new_base     a base name for a new message
    staged_name  what the file is called while it is in tmp/

    name     = base [":2," *letter]
    base     = seconds ".M" microseconds "P" process ["V" device "I" inode] "Q" serial
               "." host [",S=" octets] [",W=" octets]      ; ours; others' differ
    letter   = "D" / "F" / "P" / "R" / "S" / "T"           ; in ASCII order
             / %x61-7A                                     ; keyword 0 to 25

S is the size of the file, W what it is with CRLF line ends.  ``P`` (passed on) stands
for the keyword ``$Forwarded``, which mutt and others show.  Keywords beyond the 26th
have no letter and are in the ledger alone.  Letters that mean nothing to us are kept.
"""

import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.storage.index.host import Host

#: Bit of the flag column: the file is in new/, not in cur/.
IN_NEW: Final = 128
FORWARDED: Final = "$Forwarded"
_PASSED: Final = 32

_BITS: Final = {
    ord("D"): DRAFT,
    ord("F"): FLAGGED,
    ord("P"): _PASSED,
    ord("R"): ANSWERED,
    ord("S"): SEEN,
    ord("T"): DELETED,
}
_LETTER_KEYWORDS: Final = 26
_LETTER_MASK: Final = (1 << _LETTER_KEYWORDS) - 1

_SIZE: Final = re.compile(rb",S=(\d{1,10})(?![^,])")
_WITH_CRLF: Final = re.compile(rb",W=(\d{1,10})(?![^,])")
_PLACE: Final = re.compile(rb"V[0-9A-F]+I[0-9A-F]+(?=Q)")
#: RFC 1939 section 7: one to 70 characters from %x21 to %x7E.
_UIDL: Final = re.compile(rb"[!-~]{1,70}")
#: More than any number of microseconds in a name.
_SECOND: Final = 10**9
_ORDER: Final = re.compile(rb"(\d{1,19})\.(?:M(\d{1,9}))?")


def base_of(name: bytes) -> bytes:
    """The part before the flags."""
    return name.partition(b":")[0]


def sizes(base: bytes) -> tuple[int | None, int | None]:
    """Size of the file, and of the message, as the name says; None for not said."""
    size = _SIZE.search(base)
    message = _WITH_CRLF.search(base)
    return int(size[1]) if size else None, int(message[1]) if message else None


def moment(seconds: bytes, micros: bytes | None) -> int:
    """Sorts by the time of delivery, given by its digits in a name."""
    return int(seconds) * _SECOND + int(micros or 0)


def order(name: bytes) -> tuple[int, bytes]:
    """Sorts names by the time of their delivery, those that do not say it first."""
    found = _ORDER.match(name)
    return moment(found[1], found[2]) if found else 0, name


def uidl(base: bytes) -> bytes:
    """The POP3 unique id of a message: its base name, if that can be one."""
    if _UIDL.fullmatch(base):
        return base
    return hashlib.blake2b(base, digest_size=16).hexdigest().encode()


def object_id(base: bytes) -> int:
    """The object id of a message that was not copied: follows from its name."""
    return int.from_bytes(hashlib.blake2b(base, digest_size=8).digest(), "little") or 1


@functools.lru_cache(maxsize=4096)
def _parse(letters: bytes) -> tuple[int, int, bytes]:
    flags = 0
    keywords = 0
    rest = bytearray()
    for letter in letters:
        bit = _BITS.get(letter)
        if bit is not None:
            flags |= bit
        elif 97 <= letter < 97 + _LETTER_KEYWORDS:
            keywords |= 1 << (letter - 97)
        else:
            rest.append(letter)
    return flags, keywords, bytes(rest)


@functools.lru_cache(maxsize=4096)
def _letters(flags: int, keywords: int) -> bytes:
    letters = [letter for letter, bit in _BITS.items() if flags & bit]
    letters += [97 + n for n in range(_LETTER_KEYWORDS) if keywords >> n & 1]
    return b":2," + bytes(letters)


#: The end of a name in cur/ for each value of the flag column, without keywords.
PLAIN_ENDS: Final[Sequence[bytes]] = [_letters(flags & 31, 0) for flags in range(256)]


class Letters:
    """The letters of one mailbox.

    Args:
        keyword_names: Its keywords, by bit; may grow.
    """

    __slots__ = ("_names",)

    def __init__(self, keyword_names: Sequence[str]) -> None:
        self._names = keyword_names

    def _forwarded(self) -> int:
        try:
            return 1 << self._names.index(FORWARDED)
        except ValueError:
            return 0

    def end(self, flags: int, keywords: int) -> bytes:
        """What follows the base name in cur/."""
        if not keywords:
            return PLAIN_ENDS[flags]
        forwarded = self._forwarded()
        if keywords & forwarded:
            keywords &= ~forwarded
            flags |= _PASSED
            return _letters(flags & 63, keywords & _LETTER_MASK)
        return _letters(flags & 31, keywords & _LETTER_MASK)

    def parse(self, name: bytes, keywords: int) -> tuple[int, int, bytes]:
        """What a file's name says.

        Args:
            name: The name.
            keywords: Of the message so far; those without a letter are kept.

        Returns:
            Flags, keywords, and the letters that mean nothing.
        """
        letters = name.partition(b":2,")[2]
        flags, named, rest = _parse(letters)
        forwarded = self._forwarded()
        known = (1 << len(self._names)) - 1
        unknown = named & ~known
        if unknown:
            rest += bytes(97 + n for n in range(_LETTER_KEYWORDS) if unknown >> n & 1)
            named &= ~unknown
        if flags & _PASSED:
            if forwarded:
                named |= forwarded
            else:
                rest += b"P"
        kept = keywords & ~_LETTER_MASK & ~forwarded
        return flags & 31, named | kept, rest


def new_base(host: Host) -> bytes:
    """The part of a new base name that needs no file yet."""
    now = host.clock()
    seconds = int(now)
    micros = int((now - seconds) * 1_000_000)
    name = host.name.replace(b"/", b"\\057").replace(b":", b"\\072")
    name = name.replace(b",", b"\\054")[:64] or b"localhost"
    return b"%d.M%dP%dQ%d.%b" % (seconds, micros, host.process, host.serial(), name)


def with_place(base: bytes, device: int, inode: int) -> bytes:
    """``base`` with the device and inode of its file."""
    before, _, after = base.partition(b"Q")
    return b"%bV%XI%XQ%b" % (before, device, inode, after)


def staged_name(base: bytes) -> bytes:
    """The name in tmp/ of the file that is to get a base name of ours."""
    return _PLACE.sub(b"", base.partition(b",")[0], count=1)

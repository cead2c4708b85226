"""Reading an mbox from some offset on, message by message.

In this file:
    Found       what a scan learns of one message
    scan        the messages of a file, in file order
    examine     what is to be known of one message

The file is read in pieces, never mapped: a program that truncates it while it is mapped
would end the process.  A piece ends where its last message begins; that one is read
again with the next piece, which is larger if it still is the only one.

The message in which UW-IMAP and Pine keep their numbers is hidden from readers and kept
in the file.  Those numbers, and X-UID and X-IMAPbase of other servers, are taken over
once, by ``maildrop adopt``, and never by reading: whoever lost the ledger would else
get old numbers back of which new ones were given since.

The digest names a message's content whatever its place and flags: it leaves out the
From_ line and the fields that belong to the file, and is what keeps UIDs with their
messages when another program edits the file.
"""

import calendar
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from maildrop.errors import StorageFailure
from maildrop.storage.mbox.format import (
    Metadata,
    content,
    messages,
    metadata,
    split_header,
    visible,
)

PIECE: Final = 1 << 22
#: Longest message that is read, in octets: all of it has to go into memory.
MESSAGE_MAX: Final = 1 << 29
#: The first message of files written by UW-IMAP and Pine, which holds only their data.
#: A sender who writes the one field alone does not make his mail vanish.
_PSEUDO: Final = re.compile(rb"\nX-IMAP:")
_PSEUDO_SUBJECT: Final = re.compile(rb"\nSubject: DON'T DELETE THIS MESSAGE")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1
    )
}
_FROM_DATE: Final = re.compile(
    rb"([A-Z][a-z]{2}) +(\d\d?) +(\d\d?):(\d\d)(?::(\d\d))?[^\r\n]*? (\d{4})"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A message of the file.

    Attributes:
        start: Offset of its From_ line.
        length: Octets up to the next From_ line or the end.
        digest: Of its content.
        size: Octets as readers get it (RFC822.SIZE).
        date: Of the From_ line, seconds since 1970 UTC; 0 if it tells none.
        metadata: Flags and keywords its fields give.
    """

    start: int
    length: int
    digest: bytes
    size: int
    date: int
    metadata: Metadata


def scan(fd: int, start: int, end: int, path: str) -> Iterator[Found]:
    """The messages between two offsets.

    Args:
        fd: The mbox, locked.
        start: 0, or where a message begins.
        end: Where to stop: the size of the file.
        path: For errors.

    Raises:
        StorageFailure: The file is no mbox.
    """
    for offset, raw in raw_messages(fd, start, end, path):
        if offset == 0 and is_pseudo(raw):
            continue
        yield examine(offset, raw)


def raw_messages(
    fd: int,
    start: int,
    end: int,
    path: str,
    piece: int = PIECE,
    message_max: int = MESSAGE_MAX,
) -> Iterator[tuple[int, bytes]]:
    """Offset and octets of each message, From_ line and blank line included."""
    length = piece
    while start < end:
        octets = os.pread(fd, min(length, end - start), start)
        if start == 0 and octets[:1] in {b"\r", b"\n"}:
            start = len(octets) - len(octets.lstrip(b"\r\n"))
            continue
        if octets[:5] != b"From ":
            raise StorageFailure(
                f"{path} is not an mbox: at octet {start} stands no From_ line;"
                " move it away or repair it"
            )
        places = messages(octets)
        last = len(octets) if start + len(octets) >= end else places[-1]
        places.append(last)
        for begin, stop in pairwise(places):
            if begin < stop:
                yield start + begin, octets[begin:stop]
        length = piece if last else length * 2
        if length > message_max:
            raise StorageFailure(
                f"{path}: the message at octet {start} is larger than {message_max}"
                " octets; move it away"
            )
        start += last


def is_pseudo(raw: bytes) -> bool:
    """Whether a first message is the folder data of UW-IMAP or Pine."""
    if _PSEUDO.search(raw) is None:
        return False
    stored = content(raw)
    header = b"\n" + stored[: split_header(stored)]
    return all(part.search(header) for part in (_PSEUDO, _PSEUDO_SUBJECT))


def examine(offset: int, raw: bytes) -> Found:
    """What is to be known of a message.

    Args:
        offset: Where it stands.
        raw: From_ line, content, blank line.
    """
    stored = content(raw)
    seen = visible(stored)
    return Found(
        start=offset,
        length=len(raw),
        digest=digest(seen),
        size=len(seen),
        date=from_date(raw[: raw.find(b"\n")]),
        metadata=metadata(stored),
    )


def digest(octets: bytes) -> bytes:
    """The name of a content: 24 hexadecimal digits.

    Args:
        octets: The message as readers get it.
    """
    return hashlib.blake2b(octets, digest_size=12).hexdigest().encode()


def from_date(line: bytes) -> int:
    """The date of a From_ line, taken as UTC; 0 if there is none."""
    found = _FROM_DATE.search(line)
    if found is None or found[1] not in _MONTHS:
        return 0
    month, day, hour, minute, second, year = found.groups()
    fields = (int(year), _MONTHS[month], int(day), int(hour), int(minute))
    return max(0, calendar.timegm((*fields, int(second or 0))))

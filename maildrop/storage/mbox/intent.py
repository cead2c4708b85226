"""What is about to be appended, noted in the ledger, so that half of it can be cut off.

In this file:
    announce     note that octets are about to be appended
    is_open      whether an append was begun and not ended
    end_append   cut off what a crash left of one

| state | note | file | after a crash |
|---|---|---|---|
| 0 | none | old | the old file |
| 1 | size, length, checksum | old | the note is removed |
| 2 | there | some of the new octets | they are cut off |
| 3 | there | all of them, synced | they stay: a message like one of another program |
| 4 | removed, in the record that gives the UIDs | new | done |

What another program appended behind half a message stays; so does the half, then.
"""

import os
import re
import zlib
from typing import Final

from maildrop.storage.index.batch import Batch
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.mbox.file import Appendix, MboxFile

_NAME: Final = b"append"
_VALUE: Final = re.compile(rb"(\d{1,15}) (\d{1,15}) (\d{1,10})")


def announce(ledger: Ledger, appendix: Appendix) -> None:
    """Note what is about to be appended; the ledger is locked."""
    batch = ledger.batch(quiet=True)
    octets = appendix.octets
    value = b"%d %d %d" % (appendix.size, len(octets), zlib.crc32(octets))
    batch.note(_NAME, value)
    ledger.commit(batch)


def ended(batch: Batch) -> None:
    """Remove the note with the changes of a batch."""
    batch.note(_NAME, b"")


def is_open(ledger: Ledger) -> bool:
    """Whether an append was begun and, as far as is known, not ended."""
    return _NAME in ledger.table.notes


def end_append(fd: int, file: MboxFile, ledger: Ledger) -> None:
    """Cut off half of an append; the file is locked for writing.

    Whoever appends holds that lock: a note that is there now was left by a crash.
    """
    ledger.refresh()
    if not is_open(ledger):
        return
    with ledger.locked():
        found = _VALUE.fullmatch(ledger.table.notes.get(_NAME, b""))
        if found is not None:
            size, length, checksum = map(int, found.groups())
            there = os.fstat(fd).st_size
            whole = zlib.crc32(os.pread(fd, length, size)) == checksum
            if size < there <= size + length and not whole:
                file.cut(fd, size)
        batch = ledger.batch(quiet=True)
        ended(batch)
        ledger.commit(batch)

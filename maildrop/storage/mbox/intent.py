"""What is about to be appended, noted in the ledger, so that half of it can be cut off.

In this file:
    announce     note that octets are about to be appended
    ended        note that they are there
    restored     which expunged messages have been brought back
    forget_restored
    moved        whether a move brought its messages here; ``forget_moved``
    is_open      whether an append was begun and not ended
    end_append   cut off what a crash left of one

| state | note | file | after a crash |
|---|---|---|---|
| 0 | none | old | the old file |
| 1 | size, length, checksum, UIDs; synced | old | the note is removed |
| 2 | there | some of the new octets | they are cut off |
| 3 | there | all of them, synced | they stay, and get the UIDs that they would have |
| 4 | removed, in the record that gives the UIDs | new | done |

The note is synced before the file is touched, so that octets which a power cut spares
are always known for what they are.  The record of step 4 is not: whoever finds the note
gives the messages the same UIDs again, if they are there and nothing else is before
them; else those UIDs stay unused.

What another program appended behind half a message stays; so does the half, then.

Of expunged messages that are brought back it is noted with the intent that they are on
their way, and with its end whether they came: nobody brings them back twice.  So it is
with messages that are moved here (``moving``), or have a key (``mailbox.keyed``).
"""

import os
import re
import zlib
from collections.abc import Sequence
from typing import Final

from maildrop.storage.index.batch import Batch
from maildrop.storage.index.keyed import CAME, KEY
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.mbox.file import Appendix, MboxFile

_NAME: Final = b"append"
_RESTORED: Final = b"restored/"
_COMING: Final = b"0"
#: Names of notes that begin so are whole; keys of restored messages are not.
MOVED: Final = b"moved/"
_WHOLE: Final = (MOVED, KEY)
_VALUE: Final = re.compile(rb"(\d{1,15}) (\d{1,15}) (\d{1,10}) (\d{1,10})")


def announce(
    ledger: Ledger, appendix: Appendix, restoring: Sequence[bytes] = ()
) -> None:
    """Note what is about to be appended; the ledger is locked.

    Args:
        ledger: Where.
        appendix: What.
        restoring: Keys of the expunged messages that it brings back; or names of notes
            for a move, or for keys of messages.
    """
    batch = ledger.batch(quiet=True)
    for key in restoring:
        batch.note(key if key.startswith(_WHOLE) else _RESTORED + key, _COMING)
    octets = appendix.octets
    last = ledger.table.uid_next + len(appendix.starts) - 1
    value = (appendix.size, len(octets), zlib.crc32(octets), last)
    batch.note(_NAME, b"%d %d %d %d" % value)
    batch.assigns = True
    ledger.commit(batch)


def ended(ledger: Ledger, batch: Batch, *, whole: bool = True) -> None:
    """Remove the note with the changes of a batch.

    Args:
        ledger: Where it is.
        batch: The changes.
        whole: All that was announced is there.
    """
    batch.note(_NAME, b"")
    batch.assigns = False  # the note can give the same UIDs again
    for name, value in ledger.table.notes.items():
        if name.startswith((_RESTORED, *_WHOLE)) and value == _COMING:
            batch.note(name, CAME if whole else b"")


def restored(ledger: Ledger) -> list[bytes]:
    """Keys of expunged messages that have been brought back."""
    return [
        name.removeprefix(_RESTORED)
        for name in ledger.table.notes
        if name.startswith(_RESTORED) and ledger.table.notes[name] == CAME
    ]


def forget_restored(ledger: Ledger) -> None:
    """Nobody will bring them back once more."""
    with ledger.locked():
        batch = ledger.batch(quiet=True)
        for key in restored(ledger):
            batch.note(_RESTORED + key, b"")
        if batch:
            ledger.commit(batch)


def moved(ledger: Ledger, key: bytes) -> bool:
    """Whether a move brought its messages here."""
    return ledger.table.notes.get(MOVED + key) == CAME


def forget_moved(ledger: Ledger) -> None:
    """Nobody will ask for moves any more."""
    with ledger.locked():
        batch = ledger.batch(quiet=True)
        for name in ledger.table.notes:
            if name.startswith(MOVED):
                batch.note(name, b"")
        if batch:
            ledger.commit(batch)


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
        whole = False
        batch = ledger.batch(quiet=True)
        if found is not None:
            size, length, checksum, last = map(int, found.groups())
            there = os.fstat(fd).st_size
            whole = zlib.crc32(os.pread(fd, length, size)) == checksum
            if size < there <= size + length and not whole:
                file.cut(fd, size)
            if not whole:
                batch.uid_next(last + 1)
        ended(ledger, batch, whole=whole)
        batch.assigns = not whole
        ledger.commit(batch)

"""Corruptions of the text that searches look through; see ``planting``."""

import os
from collections.abc import Callable
from pathlib import Path

from maildrop.storage.findings import Code
from maildrop.storage.index.text_blocks import Entry, pack
from maildrop.storage.index.text_file import TEXT as FILE
from tests.storage.maildir.planting import Grounds, Plant


def _made(grounds: Grounds) -> Path:
    """The text file of INBOX, as searches leave it."""
    mailbox = grounds.open()
    for uids in ((1, 2), (3, 4, 5)):
        mailbox.text.add(uids, mailbox.read_many(uids), mailbox.text.last)
    mailbox.close()
    return grounds.root / FILE


def _with(change: Callable[[Path], object]) -> Callable[[Grounds], object]:
    return lambda grounds: change(_made(grounds))


def _flipped(at: int) -> Callable[[Grounds], object]:
    return lambda grounds: grounds.flip(_made(grounds), at)


def _other(*entries: Entry) -> Callable[[Grounds], object]:
    """A block that is whole and tells something else."""

    def replace(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:24] + pack(entries))

    return _with(replace)


TEXT = (
    Plant("a bit of the text's header is turned over", Code.TEXT_DAMAGED, _flipped(14)),
    Plant(
        "a bit of the head of a block is turned over", Code.TEXT_DAMAGED, _flipped(30)
    ),
    Plant("a bit of text is turned over", Code.TEXT_DAMAGED, _flipped(150)),
    Plant(
        "the text is cut off",
        Code.TEXT_DAMAGED,
        _with(lambda path: os.truncate(path, path.stat().st_size - 3)),
    ),
    Plant(
        "the text of a message is another one",
        Code.TEXT_WRONG,
        _other(Entry(1, b"subject: x", b"y")),
    ),
    Plant(
        "a message is missing in the text",
        Code.TEXT_WRONG,
        _other(Entry(1, b"", b""), Entry(3, b"", b"")),
    ),
)

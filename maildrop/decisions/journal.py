"""The journal of decisions on disk.

In this file:
    Journal    appends notes, and removes the oldest
    Bounds     how much is kept, and for how long
    line       a note as a line

Format.  A directory of segments, files with the names ``00000001``, ``00000002`` ...; a
line is a JSON object in ASCII:

    {"at": seconds, "id": id, "kind": kind, fact: value, ..., "~": [folded, ...]}

``~`` has the values that are looked up in lower case, where that is another text, so
that a search for an exact string finds them.  Empty lines have no meaning.

Several processes append to the newest segment, each batch by one write(2) with
O_APPEND.  Who finds it full, or too long in use, goes on to the number after it; all
who do so come to the same file.  A segment that was removed meanwhile (it was idle for
longer than anything is kept) is left for the newest.  Nothing is synced: it is a diary,
and a crash of the system may cost its last seconds; a line torn by one is passed over
by readers.

Limits: octets of all segments, their age, octets of one value in a line.

Security: mode 0600; ASCII alone, so no value can break a line or confuse a terminal.
"""

import contextlib
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted
from typing import Final

from maildrop.decisions.recorder import Note
from maildrop.durable import Disk

#: The octets kept are in so many segments, and so is the time.
SEGMENTS: Final = 16
#: Letters kept of a value, values kept of a list.
_LETTERS: Final = 1000
_VALUES: Final = 100
#: Facts whose values are looked up: people, addresses, message ids, in any case.
LOOKED_UP: Final = frozenset(
    {"recipient", "sender", "user", "message_id", "name", "to", "address"}
)
_SEGMENT: Final = re.compile(r"[0-9]{8,}")
_FIRST: Final = re.compile(rb'\n?{"at":([0-9.]{1,20})')


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and for how long.

    Attributes:
        octets: Of all segments together, about.
        seconds: Until a segment is removed, counted from its last line.
    """

    octets: int = 100 << 20
    seconds: float = 7 * 86400.0


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[:_LETTERS] + "..."


def _texts(values: Collection[object]) -> list[str]:
    """A list as text, and not too long."""
    if len(values) <= _VALUES:
        return [_cut(str(each)) for each in values]
    cut = [_cut(str(each)) for each in itertools.islice(values, _VALUES)]
    return [*cut, f"and {len(values) - _VALUES} more"]


def _other(name: str, fact: object, folded: list[str]) -> str:
    """A fact that is neither a text nor a whole number."""
    if isinstance(fact, list | tuple):
        texts = _texts(fact)
        if name in LOOKED_UP:
            folded += [each for each in map(str.lower, texts) if each not in texts]
        return f',"{name}":[{",".join(map(_quoted, texts))}]' if texts else ""
    if isinstance(fact, float | bool):
        return f',"{name}":{json.dumps(fact)}'
    text = fact.decode("utf-8", "replace") if isinstance(fact, bytes) else str(fact)
    return _text(name, text, folded) if text else ""


def _text(name: str, text: str, folded: list[str]) -> str:
    if len(text) > _LETTERS:
        text = _cut(text)
    if name in LOOKED_UP and (lower := text.lower()) != text:
        folded.append(lower)
    return f',"{name}":{_quoted(text)}'


def line(note: Note) -> str:
    """A note as a line.

    Put together by hand, for it costs a third of what the library's encoder does.
    """
    at, note_id, kind, facts = note
    made = f'{{"at":{at:.3f},"id":{_quoted(note_id)},"kind":{_quoted(kind)}'
    folded: list[str] = []
    for name, fact in facts.items():
        if type(fact) is str:
            if fact:
                made += _text(name, fact, folded)
        elif type(fact) is int:
            made += f',"{name}":{fact}'
        elif fact is not None:
            made += _other(name, fact, folded)
    if folded:
        made += f',"~":[{",".join(map(_quoted, folded))}]'
    return made + "}\n"


class Journal:
    """Appends notes, and removes the oldest; for one thread at a time.

    Args:
        directory: Where segments are; made with the first.
        bounds: How much is kept.
        now: Seconds since 1970 UTC.
        disk: Changes the disk.
    """

    def __init__(
        self,
        directory: str,
        bounds: Bounds | None = None,
        now: Callable[[], float] = time.time,
        disk: Disk | None = None,
    ) -> None:
        self.directory = directory
        self._bounds = bounds or Bounds()
        self._segment = max(4096, self._bounds.octets // SEGMENTS)
        self._now = now
        self._disk = disk or Disk()
        self._fd = -1
        self._number = 0
        self._begun = 0.0

    def write(self, notes: Sequence[Note]) -> None:
        """Append notes.

        Raises:
            OSError: They are not there, or not all.
        """
        # The LF at the start ends what a crash or a full disk may have torn.
        text = "\n" + "".join([line(note) for note in notes])
        self._disk.write(self._newest(), text.encode("ascii"))

    def close(self) -> None:
        """Let go of the segment."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def prune(self) -> None:
        """Remove what is too old, and what is too much when one more is filled."""
        sizes = []
        for path in segments(self.directory):
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(path)
                sizes.append((path, status.st_size, status.st_mtime))
        most = self._bounds.octets - self._segment
        oldest = self._now() - self._bounds.seconds
        total = sum(size for _, size, _ in sizes)
        for path, size, modified in sizes:
            if (total > most and path != sizes[-1][0]) or modified < oldest:
                total -= size
                with contextlib.suppress(FileNotFoundError):  # another was first
                    self._disk.unlink(path)

    def _newest(self) -> int:
        """The segment to append to."""
        if self._fd >= 0:
            status = os.fstat(self._fd)
            if status.st_nlink and not self._is_over(status.st_size):
                return self._fd
            self.close()
        self.prune()
        self._disk.make_directories(self.directory)
        numbers = map(_number, segments(self.directory))
        self._number = max(numbers, default=self._number or 1)
        self._open()
        while self._is_over(os.fstat(self._fd).st_size):
            self.close()
            self._number += 1
            self._open()
        return self._fd

    def _is_over(self, size: int) -> bool:
        """Whether the segment is full, or holds notes of long enough a time."""
        span = self._bounds.seconds / SEGMENTS
        return size >= self._segment or self._now() - self._begun > span

    def _open(self) -> None:
        path = os.path.join(self.directory, f"{self._number:08}")
        self._fd = self._disk.append_to(path)
        first = _FIRST.match(os.pread(self._fd, 64, 0))
        self._begun = float(first[1]) if first else self._now()


def segments(directory: str) -> list[str]:
    """The paths of all segments, the oldest first."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = [name for name in names if _SEGMENT.fullmatch(name)]
    return [os.path.join(directory, name) for name in sorted(found, key=int)]


def _number(path: str) -> int:
    return int(os.path.basename(path))

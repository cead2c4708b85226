"""Programs and clients on a Maildir; see ``machine``.

In this file:
    MaildirTogether    the rules that only a Maildir has
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from maildrop.mailbox.flags import (
    ALL_SYSTEM,
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
)
from tests.interop.foreign.machine import CHOICE, Together, canonical, names
from tests.interop.foreign.programs import UID, MaildirPrograms
from tests.interop.foreign.session import Flags, Shown

_LETTERS: Final = {"S": SEEN, "R": ANSWERED, "F": FLAGGED, "D": DRAFT, "T": DELETED}
_END: Final = re.compile(r":2,([A-Za-z]*)$")


def flags_of(name: str) -> Flags:
    """The system flags that a file's name says."""
    found = _END.search(name)
    letters = set(found[1] if found else "")
    return names(sum(_LETTERS.get(letter, 0) for letter in letters))


def renamed(path: Path, letters: str) -> Path:
    """Where a file is, in cur/, when it has these letters for flags."""
    found = _END.search(path.name)
    others = {letter for letter in (found[1] if found else "") if letter.islower()}
    name = _END.sub("", path.name) + ":2," + "".join(sorted({*letters, *others}))
    return path.parent.with_name("cur") / name


class MaildirTogether(Together):
    """See the module."""

    kind = "maildir"
    programs: MaildirPrograms

    def __init__(self) -> None:
        super().__init__()
        self.root = self.server.maildir(self.user)
        self.programs = MaildirPrograms(self.server.home(self.user), self.root)
        self.backup = self.server.home(self.user) / "backup"
        self.backup.mkdir()
        os.chown(self.backup, UID, UID)

    def paths(self) -> list[Path]:
        """All messages."""
        return sorted([*(self.root / "new").iterdir(), *(self.root / "cur").iterdir()])

    def _files(self) -> list[tuple[bytes, Flags]]:
        return [(canonical(p.read_bytes()), flags_of(p.name)) for p in self.paths()]

    def _wrong_flags(self, there: list[tuple[bytes, Flags]], shown: Shown) -> object:
        system = names(ALL_SYSTEM)
        told = Counter((each.octets, each.flags & system) for each in shown.messages)
        if told != Counter(there):
            return "letters", there, shown
        return super()._wrong_flags(there, shown)

    def flagged(self, content: bytes, flag: str) -> None:
        """Mutt has, unless it lost sight of a file that the server moved to cur/."""
        del flag
        keywords = self.flags[content] - names(ALL_SYSTEM)
        self.flags[content] = dict(self.files())[content] | keywords

    def to_one(
        self, choice: int, do: Callable[[Path], object], *, changes: int = 0
    ) -> Path | None:
        """Have a program do something to one file; the server may rename it first."""
        while True:
            paths = self.paths()
            if not paths:
                return None
            path = paths[choice % len(paths)]
            before = self.contents()
            try:
                do(path)
            except AssertionError:
                assert not path.exists()
                continue
            after = self.contents()
            found = (after - before).total(), (before - after).total()
            assert max(found) <= changes, (path, before, after)
            return path

    @rule(choice=CHOICE, to=st.sampled_from(["1", "1 and more", "X"]))
    def sed(self, choice: int, to: str) -> None:
        def edit(path: Path) -> None:
            self.programs.sed(path, "revision 0", f"revision {to}")

        self.to_one(choice, edit, changes=1)

    @rule(choice=CHOICE, size=st.integers(0, 120))
    def truncate(self, choice: int, size: int) -> None:
        def cut(path: Path) -> None:
            least = min(size, path.stat().st_size)
            self.programs.truncate(path, least)

        with contextlib.suppress(FileNotFoundError):
            # COPY makes links: what is done to one file in place is done to all.
            self.to_one(choice, cut, changes=len(self.paths()))

    @rule(choice=CHOICE, letters=st.sampled_from(["", "S", "FS", "RS", "DF"]))
    def flag(self, choice: int, letters: str) -> None:
        def move(path: Path) -> None:
            self.programs.move(path, renamed(path, letters))
            content = canonical(renamed(path, letters).read_bytes())
            system = names(ALL_SYSTEM)
            if content in self.flags:
                keywords = self.flags[content] - system
                self.flags[content] = flags_of(":2," + letters) | keywords

        with contextlib.suppress(FileNotFoundError):
            self.to_one(choice, move)

    @rule(choice=CHOICE)
    def give_another_name(self, choice: int) -> None:
        number = next(self.serial)

        def move(path: Path) -> None:
            found = _END.search(path.name)
            name = f"18{number:08}.1.other" + (found[0] if found else "")
            self.programs.move(path, path.with_name(name))

        self.to_one(choice, move)

    @rule(choice=CHOICE)
    def remove(self, choice: int) -> None:
        self.to_one(choice, self.programs.remove, changes=1)

    @rule(choice=CHOICE)
    def back_up(self, choice: int) -> None:
        def copy(path: Path) -> None:
            self.programs.copy(path, self.backup / path.name)

        self.to_one(choice, copy)

    @rule(choice=CHOICE, keep_times=st.booleans())
    def restore(self, choice: int, *, keep_times: bool) -> None:
        saved = sorted(self.backup.iterdir())
        if not saved:
            return
        source = saved[choice % len(saved)]
        found = _END.search(source.name)
        target = renamed(self.root / "cur" / source.name, found[1] if found else "")
        links = target.stat().st_nlink if target.exists() else 1
        before = self.contents()
        self.programs.copy(source, target, keep_times=keep_times)
        after = self.contents()
        assert max((after - before).total(), (before - after).total()) <= links
        self.flags.pop(canonical(source.read_bytes()), None)

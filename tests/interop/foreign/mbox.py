"""Programs and clients on an mbox; see ``machine``.

In this file:
    MboxTogether    the rules that only an mbox has
"""

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from maildrop.mailbox.flags import ALL_SYSTEM
from tests.interop.foreign.machine import CHOICE, Together, names
from tests.interop.foreign.programs import MboxPrograms
from tests.interop.foreign.session import Flags
from tests.storage.mbox.plain import Stored, parse

#: What s-nail does to a message, and the flags it has then.
SNAIL: Final = {"seen": "\\Seen", "flag": "\\Flagged", "answered": "\\Answered"}


class MboxTogether(Together):
    """See the module."""

    kind = "mbox"
    programs: MboxPrograms

    def __init__(self) -> None:
        super().__init__()
        self.spool = self.server.spool(self.user)
        home = self.server.home(self.user)
        self.programs = MboxPrograms(home, self.spool)
        self.backup = home / "backup"
        #: Contents whose keywords Dovecot took out of the file.
        self.without_keywords: set[bytes] = set()

    def octets(self) -> bytes:
        """The file."""
        return self.spool.read_bytes() if self.spool.exists() else b""

    def readable(self) -> bool:
        """CRLF line ends are beyond mutt, s-nail and formail."""
        return b"\r" not in self.octets()

    def deliverable(self) -> bool:
        """Procmail writes on where the file ends, if that is in the midst of a line."""
        return not self.octets() or self.octets().endswith((b"\n\n", b"\n\r\n"))

    def stored(self) -> list[Stored]:
        """Its messages."""
        return [each for each in parse(self.octets()) if not each.pseudo]

    def _files(self) -> list[tuple[bytes, Flags]]:
        return [(each.content, names(each.flags)) for each in self.stored()]

    def unsure(self) -> None:
        """The file has other flags than it had; that is for another test."""
        self.flags.clear()

    def deliver_with_dovecot(self, text: bytes) -> None:
        """It takes out keywords that no X-IMAPbase lists: they go when that is seen."""
        before = {each.content for each in self.stored() if each.keywords}
        super().deliver_with_dovecot(text)
        after = {each.content for each in self.stored() if each.keywords}
        self.without_keywords |= before - after

    def expected(self, content: bytes, shown: Flags) -> Flags | None:
        """Keywords that Dovecot took out may be shown, or not."""
        wanted = super().expected(content, shown)
        if wanted is None or content not in self.without_keywords:
            return wanted
        system = names(ALL_SYSTEM)
        return (wanted & system) | (shown - system)

    @rule()
    def append_with_dotlock(self) -> None:
        text = self.text().replace(b"\nFrom ", b"\n>From ")
        text = b"From a@example.org Thu Jan  1 12:34:56 2026\n" + text + b"\n"
        if self.deliverable():
            self.work(lambda: self.programs.append(text), adds=1)

    @rule(choice=CHOICE, verb=st.sampled_from([*sorted(SNAIL), "delete"]))
    def read_with_snail(self, choice: int, verb: str) -> None:
        if not self.readable():
            return
        picked = self.pick(choice)
        if picked is None:
            return
        found = parse(self.octets())
        [number] = [n for n, e in enumerate(found, 1) if e.content == picked[1]]
        gone = verb == "delete"
        self.work(lambda: self.programs.snail(f"{verb} {number}"), removes=gone)
        if not gone:
            self.flags[picked[1]] |= {SNAIL[verb]}

    @rule()
    def formail(self) -> None:
        if not (self.readable() and self.octets()):
            return
        there = self.contents()
        self.work(self.programs.formail, removes=there.total() - len(there))
        self.unsure()

    @rule(choice=CHOICE, to=st.sampled_from(["1", "1 and more"]))
    def sed(self, choice: int, to: str) -> None:
        picked = self.pick(choice)
        if picked is None:
            return
        name, content = picked
        changes = f"revision 0 of {name}.".encode() in content
        self.work(
            lambda: self.programs.sed(
                f"revision 0 of {name}\\.", f"revision {to} of {name}."
            ),
            adds=changes,
            removes=changes,
        )
        self.unsure()

    @rule(choice=CHOICE, left=st.integers(60, 150))
    def truncate(self, choice: int, left: int) -> None:
        """To whole messages and a part of one."""
        found = self.stored()
        if found:
            raws = [each.raw for each in parse(self.octets())]
            keep = choice % len(raws)
            size = len(b"".join(raws[:keep])) + min(left + 60, len(raws[keep]))
            self.cut(lambda: self.programs.truncate(size))

    def cut(self, do: Callable[[], None]) -> None:
        """Do something that takes messages away, and may leave a part of one."""
        before = self.contents()
        do()
        added = self.contents() - before
        assert added.total() <= 1
        self.unsure()

    @rule()
    def unix2dos(self) -> None:
        if not self.readable():
            return
        if self.octets():
            self.work(self.programs.unix2dos)
            self.unsure()

    @rule()
    def dos2unix(self) -> None:
        if self.readable():
            return
        self.work(lambda: self.programs.sed("\\r$", ""))
        self.unsure()

    @rule()
    def back_up(self) -> None:
        if not self.spool.exists():
            return
        self.work(lambda: self.programs.back_up(self.backup))

    @rule(in_place=st.booleans())
    def restore(self, *, in_place: bool) -> None:
        if not self.backup.exists():
            return
        saved = parse(self.backup.read_bytes())
        wanted = {each.content for each in saved if not each.pseudo}
        self.programs.restore(self.backup, in_place=in_place)
        assert set(self.contents()) == wanted
        self.unsure()

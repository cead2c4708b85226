"""Control files torn and bit-flipped: noticed, told in the log, made again, no loss.

In this file:
    FILES      the files of each kind of account, one entry each
    Spoiled    what may be done to a file, at every so many octets
    Outcome    what was tried with one file, and what was found
    damage     all of it

A process that opens the account afterwards finds every message once, gives no UID to
other content, serves the right pieces and search results, and takes a delivery.  When
numbers changed, or a file was written anew, the log says so with the file's path.
"""

import enum
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from zope.interface import implementer

from maildrop.errors import MaildropError
from maildrop.mailbox.flags import FLAGGED, FlagChange, Operation
from maildrop.mailbox.stored_text import Where
from maildrop.storage.index.text_file import TEXT
from tests.crash.boxes import BOXES, Box, FileStore, add, fill
from tests.crash.facts import Facts, Finding, Unreadable, facts
from tests.crash.machine import Machine

_CONTROL: Final = {"maildir": "Maildir", "mbox": "control/INBOX"}
#: The files of INBOX that are damaged.
FILES: Final[dict[str, tuple[str, ...]]] = {
    "maildir": (
        "maildrop.ledger",
        "maildrop.ledger.log",
        "maildrop.cache",
        "maildrop.text",
    ),
    "mbox": (
        "maildrop.ledger",
        "maildrop.ledger.log",
        "maildrop.cache",
        "maildrop.text",
        "maildrop.layout",
    ),
}
_PIECE: Final = b"ENVELOPE"


class Spoiled(enum.Enum):
    """What is done to a file."""

    FLIPPED = "a bit flipped"
    TORN = "cut off"
    ZEROED = "zeros from there on"

    def apply(self, octets: bytes, at: int) -> bytes:
        """The octets, damaged at an offset."""
        if self is Spoiled.TORN:
            return octets[:at]
        if self is Spoiled.ZEROED:
            return octets[:at] + bytes(len(octets) - at)
        flipped = octets[at] ^ (1 << (at * 5 + 3) % 8)
        return octets[:at] + bytes((flipped,)) + octets[at + 1 :]


@dataclass(slots=True)
class Outcome:
    """What was tried with one file, and what was found."""

    box: str
    file: str
    octets: int = 0
    tried: int = 0
    told: int = 0
    findings: list[tuple[str, Finding]] = field(default_factory=list)


def damage(format_name: str, file: str, directory: Path, places: int) -> Outcome:
    """Damage one file, in each way at so many places.

    Args:
        format_name: Kind of account.
        file: A name out of ``FILES``.
        directory: An empty directory.
        places: How many; its first and last octets are among them.
    """
    template = BOXES[format_name](directory / "template")
    _fill(template)
    path = Path(_CONTROL[format_name], file)
    octets = (template.root / path).read_bytes()
    outcome = Outcome(format_name, file, len(octets))
    before = _look(template.copy_to(directory / "whole"))
    step = max(len(octets) // places, 1)
    for way in Spoiled:
        for at in sorted({*range(0, len(octets), step), 9, len(octets) - 1}):
            spoiled = way.apply(octets, at)
            if spoiled == octets:
                continue
            box = template.copy_to(directory / "box")
            (box.root / path).write_bytes(spoiled)
            outcome.tried += 1
            # Half a block at the end of a text is what any crash leaves.
            quiet = way is Spoiled.TORN and file == TEXT
            for finding in _try(box, path, before, outcome, quiet=quiet):
                outcome.findings.append((f"{way.value} at {at}", finding))
            shutil.rmtree(box.root)
    return outcome


def _fill(box: Box) -> None:
    """Mail, with something in each control file."""
    fill(box)
    store = box.store(Machine())
    inbox = store.open("INBOX")
    inbox.refresh()
    uids = list(inbox.table.uids)
    inbox.fragments(_PIECE, uids)
    inbox.fragments(b"HEADER.FIELDS (X-OTHER)", uids)
    assert inbox.text is not None
    inbox.text.add(uids, inbox.read_many(uids), 0)
    box.ledger(inbox).compact()
    inbox.change_flags([2], FlagChange(Operation.ADD, FLAGGED), None)
    add(inbox, 7)
    inbox.close()


def _look(box: Box) -> Facts:
    box.clock.now += 100
    return facts(box.store(Machine()), box.clock.pass_by)


@contextmanager
def _log() -> Iterator[list[str]]:
    """Warnings and errors, as they are told."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: dict[str, object]) -> None:
        if event.get("log_level") in {LogLevel.warn, LogLevel.error}:
            lines.append(" ".join(map(str, event.values())))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


def _try(
    box: Box, path: Path, before: Facts, outcome: Outcome, *, quiet: bool
) -> Iterator[Finding]:
    spoiled = (box.root / path).read_bytes()
    with _log() as lines:
        try:
            after = _look(box)
            pieces = _pieces(box.store(Machine()))
        except (MaildropError, OSError, Unreadable) as error:
            yield Finding("other", f"unusable: {error!r}")
            return
    told = any(str(box.root / path.parent) in line for line in lines)
    outcome.told += told
    yield from _compared(before, after)
    if not all(pieces):
        yield Finding("lost", "a piece of a message")
    was, now = before.mailboxes["INBOX"], after.mailboxes["INBOX"]
    renumbered = (was.uid_validity, was.uid_next) != (now.uid_validity, now.uid_next)
    there = box.root / path
    again = not there.exists() or not there.read_bytes().startswith(spoiled)
    if (renumbered or (again and not quiet)) and not told:
        yield Finding("other", "nothing is said of it")
    yield from _delivered(box, after)


def _pieces(store: FileStore) -> list[bool]:
    """Whether each ENVELOPE speaks of its message; searches cover all again."""
    inbox = store.open("INBOX")
    try:
        inbox.refresh()
        uids = list(inbox.table.uids)
        right = []
        for octets, piece in zip(
            inbox.read_many(uids), inbox.fragments(_PIECE, uids), strict=True
        ):
            subject = (octets or b"").split(b"Subject: ")[1].split(b"\r\n")[0]
            right.append(piece is not None and subject in piece)
        assert inbox.text is not None
        after = inbox.text.covered()
        inbox.text.find("message", inbox.table.uids, 0, Where.ANYWHERE)
        rest = [uid for uid in uids if uid > inbox.text.last]
        inbox.text.add(rest, inbox.read_many(rest), inbox.text.last)
        assert after <= inbox.text.last == uids[-1]
        return right
    finally:
        inbox.close()


def _compared(before: Facts, after: Facts) -> Iterator[Finding]:
    was, now = before.bodies(), after.bodies()
    for body in was - now:
        yield Finding("lost", repr(body[:60]))
    for body in now - was:
        yield Finding("doubled", repr(body[:60]))
    keys = before.keys()
    for key, body in after.keys().items():
        if keys.get(key, body) != body:
            yield Finding("renumbered", f"{key} is another message now")


def _delivered(box: Box, seen: Facts) -> Iterator[Finding]:
    inbox = box.store(Machine()).open("INBOX")
    try:
        inbox.refresh()
        (uid,) = add(inbox, 99)
        validity = inbox.table.uid_validity
    finally:
        inbox.close()
    if any(uid <= u for v, u in seen.keys() if v == validity):  # noqa: SIM118
        yield Finding("renumbered", f"UID {uid} was given before")

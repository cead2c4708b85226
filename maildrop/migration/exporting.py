"""Mail that moves out: a user's mailboxes into files that other programs read.

In this file:
    Exporter    does it
    Exported    what became of one mailbox
    Notes       how far an export is

An export of mailboxes that were exported to the same place before adds what came since.

File ``exports/DIGEST.json`` below the state directory, for each user and target; it is
replaced as a whole:

    {"target": identity, "user": name, "mailboxes": {NAME: {
        "validity": UIDVALIDITY, "uid": the last UID written,
        "so_far": what the target said then, "writing": true until it is done}}}

States of writing some messages, and what a crash after each leaves:

    1  "writing" noted, synced        nothing new
    2  the target has them, synced    more than is noted: the target takes it back, or
                                      finds it again (see there)
    3  UID and "so_far" noted         done
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, Final

from maildrop.durable import Content, Disk, open_to_read, translated
from maildrop.errors import MaildropError, StorageFailure
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import Store, StoredMailbox
from maildrop.mailbox.outside import Outside, Target, TargetInUse
from maildrop.migration.journal import digest

#: Messages written together, and their octets; a larger one comes alone.
BATCH: Final = 64
OCTETS: Final = 1 << 23
_NOTES_MAX: Final = 1 << 26

Progress = Callable[[str, int, int], None]
Reach = Callable[[], AbstractContextManager[object]]


@dataclass(slots=True)
class Exported:
    """What became of one mailbox.

    Attributes:
        mailbox: Its name.
        written: Messages that were written now.
        before: Messages that an earlier export had written.
        error: Why not all of it was exported.
    """

    mailbox: str
    written: int = 0
    before: int = 0
    error: MaildropError | None = None


class Notes:
    """How far exports of one user to one target are.

    Args:
        directory: Where notes are; exists.
        target: Identity of the target.
        user: Whose mail it is.
        disk: Writes and syncs.
        reach: A context with the right to touch the file.
        forget: Begin anew.
    """

    def __init__(
        self,
        directory: str,
        target: str,
        user: str,
        disk: Disk,
        reach: Reach,
        *,
        forget: bool,
    ) -> None:
        name = digest(f"{user}\0{target}".encode())
        self.path = f"{directory}/{name}.json"
        self._disk = disk
        self._reach = reach
        self._noted: dict[str, Any] = {"target": target, "user": user, "mailboxes": {}}
        if not forget:
            self._load()

    def _load(self) -> None:
        try:
            with self._reach(), translated(f"read {self.path}"):
                fd = open_to_read(self.path)
        except FileNotFoundError:
            return
        with open(fd, "rb") as file:
            octets = file.read(_NOTES_MAX)
        try:
            found = json.loads(octets)
            for noted in found["mailboxes"].values():
                int(noted["validity"]), int(noted["uid"]), bool(noted["writing"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageFailure(f"{self.path} makes no sense; remove it") from error
        self._noted = found

    def of(self, name: str) -> dict[str, Any] | None:
        """What is noted of a mailbox."""
        found: dict[str, Any] | None = self._noted["mailboxes"].get(name)
        return found

    def note(
        self,
        name: str,
        uid_validity: int,
        uid: int,
        so_far: str | None,
        *,
        writing: bool,
    ) -> None:
        """Note how far a mailbox is; on disk when this returns."""
        self._noted["mailboxes"][name] = {
            "validity": uid_validity,
            "uid": uid,
            "so_far": so_far,
            "writing": writing,
        }
        octets = json.dumps(self._noted).encode("ascii")
        with self._reach(), translated(f"write {self.path}"):
            self._disk.replace_file(self.path, octets)


class Exporter:
    """Exports a store to a target.

    Args:
        store: Where from; its files may be touched.
        target: Where to.
        notes: How far an earlier export came.
        reach: A context with the right to write the target.
        progress: Is told how far it is.
    """

    def __init__(
        self,
        store: Store,
        target: Target,
        notes: Notes,
        reach: Reach,
        progress: Progress,
    ) -> None:
        self._store = store
        self._target = target
        self._notes = notes
        self._reach = reach
        self._progress = progress

    def run(self, names: Sequence[str] = ()) -> Iterator[Exported]:
        """Export mailboxes, one after the other.

        Args:
            names: Which; none for all of them, and the subscriptions.
        """
        wanted = names or [it.name for it in self._store.entries() if it.selectable]
        for name in wanted:
            exported = Exported(name)
            try:
                self._export(exported)
            except MaildropError as error:
                exported.error = error
            yield exported
        if not names:
            subscribed = self._store.subscriptions()
            with self._reach():
                self._target.subscribe(subscribed)

    def _export(self, exported: Exported) -> None:
        name = exported.mailbox
        with closing(self._store.open(name)) as mailbox:
            mailbox.refresh()
            table = mailbox.table
            noted = self._notes.of(name)
            if noted is not None and noted["validity"] != table.uid_validity:
                raise TargetInUse(
                    f"{name} was numbered anew since the last export to this place: "
                    "choose another place, or begin anew with --force"
                )
            last = int(noted["uid"]) if noted else 0
            so_far = noted["so_far"] if noted else None
            uids = [uid for uid in table.uids if uid > last]
            exported.before = len(table) - len(uids)
            if noted is not None and not uids and not noted["writing"]:
                return
            with self._reach():
                if noted is None or not noted["writing"]:
                    self._target.check(name, so_far)
            self._notes.note(name, table.uid_validity, last, so_far, writing=True)
            with self._reach():
                target = self._target.open(name, so_far, table.keyword_names)
            try:
                for batch in _batches(mailbox, uids):
                    self._progress(name, exported.written, len(uids))
                    messages = list(_messages(mailbox, batch))
                    with self._reach():
                        so_far = target.add(messages)
                    last = batch[-1]
                    exported.written += len(messages)
                    self._notes.note(
                        name, table.uid_validity, last, so_far, writing=True
                    )
            finally:
                with self._reach():
                    target.close()
            self._notes.note(name, table.uid_validity, last, so_far, writing=False)


def _batches(mailbox: StoredMailbox, uids: Sequence[int]) -> Iterator[list[int]]:
    """UIDs of messages that are written together."""
    batch: list[int] = []
    octets = 0
    for uid in uids:
        row = mailbox.table.row(uid)
        size = mailbox.table.sizes[row] if row is not None else 0
        if batch and (len(batch) == BATCH or octets + size > OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
    if batch:
        yield batch


def _messages(mailbox: StoredMailbox, uids: Sequence[int]) -> Iterator[Outside]:
    """Messages as they are now; without those that are gone."""
    table = mailbox.table
    for uid, octets in zip(uids, mailbox.read_many(uids), strict=True):
        row = table.row(uid)
        if octets is None or row is None:
            continue
        yield Outside(
            b"%d.M%d" % (table.uid_validity, uid),
            Content.of(octets),
            table.flags[row] & ALL_SYSTEM,
            tuple(table.keywords_of(table.keywords[row])),
            table.dates[row],
            uid,
        )

r"""COPY and MOVE between Maildirs, by hard links.

In this file:
    copy      messages get a second file name in the target
    move      the same, and the first one goes
    resume    what is done about a move that a crash stopped

COPY: link each file into the target's tmp/, then publish there (``delivery``).  All or
none, because publishing is.

MOVE, which must neither lose nor double a message:

    step                                            a crash after it leaves
    1  linked into the target's tmp/                files in tmp/, nothing else
    2  what is to be moved, and under which new     nothing in the target: the intent is
       names, noted in the source's log, synced     dropped
    3  published in the target                      both have it: the intent says so,
                                                    the source's files are removed
    4  source's files removed, its directories      the same, found by name
       synced
    5  record in the source's log: gone, and the    done
       intent is dropped

``resume`` decides between 2 and 3 by whether the target's ledger has the new name.

Another process that opens the source meanwhile may drop the intent early, or do steps
4 and 5 first; either way the outcome is the same.

Where linking is impossible (another file system, another kind of store) the octets are
read and added as new messages are; a crash then may leave a message moved in both.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from maildrop.durable import Content
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import new_base, object_id
from maildrop.storage.maildir.scan import split
from maildrop.storage.maildir.staging import Staged, discard, link_in

#: The note under which a mailbox keeps what it is moving away.
INTENT: Final = b"moving"


class Linked(Protocol):
    """What a Maildir mailbox has that another one copies from or to."""

    folder: Folder
    host: Host
    ledger: Ledger
    place: str
    pieces: Fragments

    @property
    def table(self) -> IndexTable:
        """The columns."""

    def close(self) -> None:
        """Let go."""

    def look(self) -> None:
        """Look at the directories, whatever their times say."""

    def path_of(self, row: int) -> bytes:
        """Where the file of a row should be."""

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """See ``interfaces.StoredMailbox.publish``."""

    def remove(
        self, uids: Sequence[int], by: object | None, finished: bytes
    ) -> Sequence[int]:
        """Remove messages, and with the last of them a note."""


class _UnlinkableError(Exception):
    """The system does not let us give the files second names."""


Pair = tuple[int, Staged]


def copy(source: Linked, uids: Sequence[int], target: Linked) -> Copied | None:
    """COPY by links; None when that is impossible."""
    try:
        pairs = _link(source, uids, target)
    except _UnlinkableError:
        return None
    return _publish(pairs, target)


def move(
    source: Linked, uids: Sequence[int], target: Linked, by: object | None
) -> Copied | None:
    """MOVE by links; None when that is impossible."""
    try:
        pairs = _link(source, uids, target)
    except _UnlinkableError:
        return None
    if not pairs:
        return Copied(target.table.uid_validity)
    try:
        _note_intent(source, target, pairs)
    except BaseException:
        discard(target.folder, [staged for _, staged in pairs], target.host)
        raise
    copied = _publish(pairs, target)
    source.remove(copied.source, by, INTENT)
    return copied


def copy_octets(
    source: StoredMailbox, uids: Sequence[int], target: StoredMailbox
) -> Copied:
    """COPY by reading and adding."""
    table = source.table
    found = list(zip(uids, source.read_many(uids), strict=True))
    taken = [(table.row(uid), octets) for uid, octets in found]
    messages = [
        NewMessage(
            Content.of(octets),
            flags=table.flags[row] & ALL_SYSTEM,
            keywords=tuple(table.keywords_of(table.keywords[row])),
            date=table.dates[row],
        )
        for row, octets in taken
        if row is not None and octets is not None
    ]
    staged = target.stage(messages)
    try:
        new = target.publish(staged, None)
    except BaseException:
        target.discard(staged)
        raise
    old = [uid for uid, octets in found if octets is not None]
    return Copied(target.table.uid_validity, old, new)


def _publish(pairs: Sequence[Pair], target: Linked) -> Copied:
    staged = [message for _, message in pairs]
    try:
        new = target.publish(staged, None) if staged else []
    except BaseException:
        discard(target.folder, staged, target.host)
        raise
    return Copied(target.table.uid_validity, [uid for uid, _ in pairs], new)


def _link(source: Linked, uids: Sequence[int], target: Linked) -> list[Pair]:
    """Step 1; messages that are gone are left out."""
    pairs: list[Pair] = []
    try:
        lost = _link_some(source, uids, target, pairs)
        if lost:
            source.look()
            _link_some(source, lost, target, pairs)
    except BaseException as error:
        discard(target.folder, [staged for _, staged in pairs], target.host)
        if isinstance(error, OSError):
            raise _UnlinkableError from error
        raise
    pairs.sort(key=lambda pair: pair[0])
    return pairs


def _link_some(
    source: Linked, uids: Sequence[int], target: Linked, pairs: list[Pair]
) -> list[int]:
    """Returns the UIDs whose file was not there."""
    table = source.table
    rows = table.rows(uids)
    lost = []
    for row, pieces in zip(rows, source.pieces.cache.records(rows), strict=True):
        name, mark = split(source.path_of(row))
        comma = table.names.name(row).partition(b",")
        staged = Staged(
            base=new_base(source.host) + comma[1] + comma[2],
            size=table.sizes[row],
            date=table.dates[row],
            flags=table.flags[row] & ALL_SYSTEM,
            keywords=table.keywords_of(table.keywords[row]),
            pieces=pieces,
            object_id=table.object_ids[row] or object_id(table.names.name(row)),
        )
        try:
            link_in(source.folder, name, mark, target.folder, staged, source.host)
        except FileNotFoundError:
            lost.append(table.uids[row])
        else:
            pairs.append((table.uids[row], staged))
    return lost


def _note_intent(source: Linked, target: Linked, pairs: Sequence[Pair]) -> None:
    """Step 2."""
    lines = [b"%d %b" % (uid, staged.base) for uid, staged in pairs]
    with source.ledger.locked():
        batch = source.ledger.batch(quiet=True)
        batch.note(INTENT, b"\n".join([target.place.encode(), *lines]))
        batch.assigns = True  # so that it is synced
        source.ledger.commit(batch)


def resume(source: Linked, sibling: Callable[[str], Linked | None]) -> None:
    """Finish, or forget, a move that was under way when its process died."""
    intent = source.table.notes.get(INTENT)
    if intent is None or source.ledger.read_only:
        return
    place, *lines = intent.split(b"\n")
    target = sibling(place.decode())
    there: set[bytes] = set()
    if target is not None:
        there.update(target.table.names.all())
        target.close()
    moved = []
    for line in lines:
        uid, _, base = line.partition(b" ")
        if base in there and uid.isdigit():
            moved.append(int(uid))
    source.remove(moved, None, INTENT)

r"""COPY and MOVE between Maildirs, without reading a message.

In this file:
    copy           messages get a second file name, in the target
    move           messages get another file name, in the target
    copy_octets    COPY by reading, between any two mailboxes

COPY: link each file into the target's tmp/, then publish there (``delivery``).  All or
none, because publishing is.

MOVE, which must neither lose nor double a message, has both ledgers locked:

    step                                            a crash after it leaves
    1  each file renamed, from the source's         some moved: the source's next scan
       directory to the target's                    finds them gone, the target's new
    2  record in the target's log                   they have their UIDs in the target
    3  that log and all directories synced          the same
    4  record in the source's log: gone             done

A file has one name at every moment, so no order in which a power cut spares these puts
it in two mailboxes or in none: a record in the target without its file is a UID that
stays unused.  An error takes the files back.

Where that is impossible (another file system, another kind of store) the octets are
read and added as new messages are; a crash then may leave a message moved in both.
"""

import contextlib
from collections.abc import Mapping, Sequence

from maildrop.durable import Content, Sync, translate
from maildrop.errors import TemporaryError
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.mailbox.quota import Counted
from maildrop.mailbox.steps import Steps
from maildrop.storage.maildir.delivery import (
    Place,
    admit,
    fds_of,
    keywords_of,
    places_of,
    publish,
    record_of,
)
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.names import new_base, object_id
from maildrop.storage.maildir.scan import split
from maildrop.storage.maildir.staging import Staged, discard, link_in


class _UnlinkableError(Exception):
    """The system does not let us give the files names in that directory."""


Pair = tuple[int, Staged]


def copy(source: Linked, uids: Sequence[int], target: Linked) -> Steps[Copied | None]:
    """COPY by links; None when that is impossible."""
    try:
        pairs = _link(source, uids, target)
    except _UnlinkableError:
        return None
    return (yield from _publish(pairs, target))


def move(
    source: Linked, uids: Sequence[int], target: Linked, by: object | None
) -> Steps[Copied | None]:
    """MOVE by renaming; None when that is impossible."""
    moved = yield from _move(source, uids, target, by)
    if moved is None or len(moved.source) == len(uids):
        return moved
    rest = sorted({*uids}.difference(moved.source))
    if not source.table.rows(rest):
        return moved
    # Renamed or removed by somebody else meanwhile: find out, and once more.
    source.look()
    more = yield from _move(source, rest, target, by)
    if more is None:
        return moved
    pairs = [*zip(moved.source, moved.target, strict=True)]
    pairs += zip(more.source, more.target, strict=True)
    old, new = zip(*sorted(pairs), strict=True) if pairs else ((), ())
    return Copied(moved.uid_validity, old, new)


def _move(
    source: Linked, uids: Sequence[int], target: Linked, by: object | None
) -> Steps[Copied | None]:
    disk, doing = target.host.disk, f"move to {target.path}"
    with contextlib.ExitStack() as both:
        # Whoever moves the other way waits for the same lock first.
        for mailbox in sorted((source, target), key=lambda mailbox: mailbox.path):
            both.enter_context(mailbox.changing())
        going = _Going(source, uids, target)
        if not going.rename():
            return None
        uids = [uid for uid, _ in going.pairs]
        if not uids:
            return Copied(target.table.uid_validity)
        payload = None
        try:
            staged = [message for _, message in going.pairs]
            new, batch = record_of(target, staged, going.keywords)
            target.note_source(batch)
            payload = target.ledger.append(batch)
            fds = {*fds_of(target.folder, going.to), *fds_of(source.folder, going.of)}
            yield Sync(disk, doing, (target.ledger.written,), tuple(fds))
        except Exception:
            if payload is not None:
                target.ledger.take_back()
            going.back()
            raise
        target.ledger.carry_out(payload)
        # They are there; if this cannot be written, the source's next scan finds it.
        with contextlib.suppress(TemporaryError):
            source.forget(uids, by)
    return Copied(target.table.uid_validity, uids, new)


class _Going:
    """Messages on their way from one mailbox to another, both locked.

    Attributes:
        pairs: UID in the source, and what the message will be in the target.
        keywords: Keyword bits in the target.
        of: Where the files were.
        to: Where they are.
    """

    def __init__(self, source: Linked, uids: Sequence[int], target: Linked) -> None:
        self._source, self._target = source, target
        rows = source.table.rows(uids)
        pieces = source.pieces.cache.records(rows)
        self.pairs: list[Pair] = []
        self.of: list[Place] = []
        for row, some in zip(rows, pieces, strict=True):
            self.pairs.append((source.table.uids[row], copy_of(source, row, some)))
            self.of.append(split(source.path_of(row)))
        staged = [message for _, message in self.pairs]
        self.keywords = keywords_of(target, staged)
        self.to = places_of(target, staged, self.keywords)

    def rename(self) -> bool:
        """Rename the files; those that are not there are left out.

        Returns:
            Whether it is possible at all.
        """
        ways = list(zip(self.of, self.to, strict=True))
        lost: list[int] = []
        for at, (old, new) in enumerate(ways):
            try:
                self._rename(self._source, old, self._target, new)
            except FileNotFoundError:
                lost.append(at)
            except OSError as error:
                gone = {*lost}
                done = [way for n, way in enumerate(ways[:at]) if n not in gone]
                self._back(done)
                if not done:
                    return False
                raise translate(error, f"move to {self._target.path}") from error
        for at in reversed(lost):
            for column in (self.pairs, self.keywords, self.of, self.to):
                del column[at]
        return True

    def _rename(self, a: Linked, old: Place, b: Linked, new: Place) -> None:
        self._source.host.disk.rename(
            old[0], new[0], a.folder.fd_of(old[1]), b.folder.fd_of(new[1])
        )

    def back(self) -> None:
        """Rename the files back."""
        self._back(list(zip(self.of, self.to, strict=True)))

    def _back(self, ways: Sequence[tuple[Place, Place]]) -> None:
        for old, new in ways:
            with contextlib.suppress(OSError):
                self._rename(self._target, new, self._source, old)


def copy_of(source: Linked, row: int, pieces: Mapping[bytes, bytes]) -> Staged:
    """What a message will be in another mailbox."""
    table = source.table
    name = table.names.name(row)
    comma = name.find(b",")
    return Staged(
        base=new_base(source.host) + (name[comma:] if comma >= 0 else b""),
        size=table.sizes[row],
        date=table.dates[row],
        flags=table.flags[row] & ALL_SYSTEM,
        keywords=table.keywords_of(table.keywords[row]),
        pieces=pieces,
        object_id=table.object_ids[row] or object_id(name),
    )


def copy_octets(
    source: StoredMailbox,
    uids: Sequence[int],
    target: StoredMailbox,
    counted: Counted = Counted.LIMITED,
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
            counted=counted,
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


def _publish(pairs: Sequence[Pair], target: Linked) -> Steps[Copied]:
    staged = [message for _, message in pairs]
    new: Sequence[int] = ()
    try:
        with target.changing():
            keywords = keywords_of(target, staged)
            before = target.allowance.begin()
            after = admit(target, before, staged)
            if staged:
                together = len(staged) > 1
                new = yield from publish(target, staged, keywords, together=together)
                target.allowance.added(before, after)
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
    tmp_fd = target.folder.tmp_fd
    for row, pieces in zip(rows, source.pieces.cache.records(rows), strict=True):
        name, mark = split(source.path_of(row))
        staged = copy_of(source, row, pieces)
        try:
            link_in(source.folder, name, mark, tmp_fd, staged, source.host)
        except FileNotFoundError:
            lost.append(table.uids[row])
        else:
            pairs.append((table.uids[row], staged))
    return lost

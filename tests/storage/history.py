"""What clients were told of a mailbox, and what may never change about it.

In this file:
    History    UIDs, UIDLs and contents over the whole run of a test
    Client     one session that applies what its view tells, as a mail program does
    Seen       one message as a store shows it

Promises: RFC 3501 section 2.3.1.1 (a UIDVALIDITY and UID name one content for ever, and
UIDs ascend), RFC 1939 section 7 (a unique id names one message for ever).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import StoredMailbox
from maildrop.mailbox.view import View


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as a store shows it."""

    content: bytes
    flags: int
    keywords: frozenset[str]


def seen(mailbox: StoredMailbox) -> dict[int, Seen]:
    """All messages of a mailbox by UID."""
    table = mailbox.table
    uids = list(table.uids)
    found = {}
    for uid, octets in zip(uids, mailbox.read_many(uids), strict=True):
        row = table.row(uid)
        if octets is None or row is None:
            continue
        assert len(octets) == table.sizes[row], (uid, octets)
        flags = table.flags[row] & ALL_SYSTEM
        keywords = frozenset(table.keywords_of(table.keywords[row]))
        found[uid] = Seen(octets, flags, keywords)
    return found


class History:
    """All that was ever told of one mailbox."""

    def __init__(self) -> None:
        self.uid_validity = 0
        self.contents: dict[int, bytes] = {}
        self.uidls: dict[bytes, bytes] = {}
        self.uidl_of: dict[int, bytes] = {}
        self.present: set[int] = set()

    def renumbered(self) -> None:
        """From here on another UIDVALIDITY is to be expected."""
        self.__init__()  # type: ignore[misc]

    def take(
        self,
        uid_validity: int,
        contents: Mapping[int, bytes],
        uidls: Mapping[int, bytes],
    ) -> None:
        """See that what is told now goes with all that was told before."""
        assert self.uid_validity in {0, uid_validity}, "UIDVALIDITY changed"
        self.uid_validity = uid_validity
        known = max(self.contents, default=0)
        for uid in contents:
            told = self.contents.get(uid)
            if told is None:
                assert uid > known, f"new UID {uid} below {known}"
                self.contents[uid] = contents[uid]
            else:
                assert told == contents[uid], f"UID {uid} has another content"
                assert uid in self.present, f"UID {uid} came back"
        self.present = set(contents)
        assert len(set(uidls.values())) == len(uidls), "a UIDL names two messages"
        for uid, name in uidls.items():
            assert self.uidl_of.setdefault(uid, name) == name, f"UIDL of {uid} changed"
            told = self.uidls.setdefault(name, contents[uid])
            assert told == contents[uid], f"UIDL {name!r} has another content"


class Client:
    """A session: knows only what its view told it."""

    def __init__(self, mailbox: StoredMailbox) -> None:
        self.mailbox = mailbox
        self.view = View(mailbox.table)
        self.uids = list(mailbox.table.uids)
        self.flags = {uid: self.state(uid) for uid in self.uids}

    def state(self, uid: int) -> tuple[int, int] | None:
        """Flags and keyword bits of a message now; None when it is gone."""
        table = self.mailbox.table
        row = table.row(uid)
        if row is None:
            return None
        return table.flags[row] & ALL_SYSTEM, table.keywords[row]

    def update(self) -> None:
        """Apply what there is to tell; then all must be as a fresh SELECT shows it."""
        told = self.view.updates(expunges=True)
        for number in told.expunged:
            del self.flags[self.uids.pop(number - 1)]
        if told.exists is not None:
            new = self.view.uids[len(self.uids) : told.exists]
            self.uids.extend(new)
            self.flags.update((uid, self.state(uid)) for uid in new)
        for uid in told.flags:
            self.flags[uid] = self.state(uid)
        assert self.uids == list(self.mailbox.table.uids)
        assert self.flags == {uid: self.state(uid) for uid in self.uids}

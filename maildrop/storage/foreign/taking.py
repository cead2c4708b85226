r"""A ledger made from what another server kept.

In this file:
    Taken           what was taken over of one mailbox, or would be
    Placed          a message that the facts and the mail files agree on
    Keywords        the keywords of a mailbox, on their way to bits
    AlreadyServed   a ledger is there that clients know
    take            put facts into a ledger
    note_release    say in a ledger that the mailbox was given back
    checked         refuse numbers that IMAP does not have

The steps, with the ledger locked, and what a crash after each of them leaves:

    step                                            a crash after it leaves
    1  ledger opened, or made empty with a number   an empty ledger that nobody was
       of its own                                   told of: taken over when repeated
    2  snapshot with all messages in its place      the same: the log counts
    3  log that follows it in its place             done

A ledger is only written over if no message ever had a UID in it, or if the mailbox was
given back (``giving``) and no message got a UID from us since.  One that was made by
taking over is left as it is: so an interrupted adoption of many mailboxes is repeated
without harm.

Expunges of the other server are not known one by one: whoever asks for those since some
MODSEQ is told of every UID that is missing (RFC 7162 section 3.2.5.2).
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.errors import PermanentError
from maildrop.mailbox.column import Column
from maildrop.mailbox.flags import KEYWORDS_MAX, is_keyword
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.index.columns import I64, U32, U64
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.names import Names
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.uid_validity import NUMBER_MAX
from maildrop.storage.maildir.reconcile import note_of
from maildrop.storage.uidl_form import NOTE as UIDL_NOTE, UidlForm

#: The note that says from which server a ledger was taken over.
ADOPTED: Final = b"adopted"
#: The note that says it was given back, and UIDNEXT at that moment.
RELEASED: Final = b"released"
_SIZE_MAX: Final = 0xFFFFFFFF


class AlreadyServed(PermanentError):
    """The mailbox has a ledger with UIDs that clients may know."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken over of one mailbox, or would be.

    Attributes:
        mailbox: Its name.
        state: ``taken over``, ``would be``, ``was before``, or ``nothing known``.
        server: Whose files were read; empty if there are none.
        uid_validity, uid_next: As they are now; 0 if numbered anew.
        messages: That keep their UID.
        new: That get one, because the other server had not seen them.
        keywords: That the mailbox has.
        unique_ids: POP3 unique ids kept one by one.
        highest_mod_seq: 0 if none was kept.
        losses: What is not taken over, in words.
        remarks: What the administrator should know, in words.
    """

    mailbox: str
    state: str
    server: str = ""
    uid_validity: int = 0
    uid_next: int = 0
    messages: int = 0
    new: int = 0
    keywords: tuple[str, ...] = ()
    unique_ids: int = 0
    highest_mod_seq: int = 0
    losses: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A message with its UID.

    Attributes:
        uid: From the facts.
        name: What the ledger calls it.
        size: Octets with CRLF line ends.
        date: Seconds since 1970 UTC.
        flags: The flag column, the format's own bits included.
        keywords: As bits.
        file: The file's name where it is not as we would write it, else empty.
    """

    uid: int
    name: bytes
    size: int
    date: int
    flags: int
    keywords: int
    file: bytes = b""


@dataclass(slots=True)
class Keywords:
    """The keywords of a mailbox, on their way to bits.

    Attributes:
        names: By bit.
        refused: Those that have no room, and how many messages have them.
    """

    names: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def bits(self, names: Iterable[str]) -> int:
        """Bits of keywords; unknown ones get one as long as there are some."""
        bits = 0
        known = {name.lower(): at for at, name in enumerate(self.names)}
        for name in names:
            at = known.get(name.lower())
            if at is None:
                if not is_keyword(name) or len(self.names) >= KEYWORDS_MAX:
                    self.refused[name] = self.refused.get(name, 0) + 1
                    continue
                at = known[name.lower()] = len(self.names)
                self.names.append(name)
            bits |= 1 << at
        return bits

    def losses(self) -> list[str]:
        """What has no room, in words."""
        return [
            f"keyword {name} of {count} messages: a mailbox has {KEYWORDS_MAX} at most"
            for name, count in sorted(self.refused.items())
        ]


def is_adopted(table: IndexTable) -> bool:
    """Whether a ledger was made by taking over."""
    return ADOPTED in table.notes


def is_untouched(table: IndexTable) -> bool:
    """Whether no message ever had a UID in a ledger, or another server goes on."""
    if RELEASED in table.notes:
        return is_released(table)
    return not len(table) and table.uid_next == 1 and not is_adopted(table)


def is_released(table: IndexTable) -> bool:
    """Whether the mailbox was given back, and we gave no UID since."""
    return table.notes.get(RELEASED) == b"%d" % table.uid_next


def note_release(ledger: Ledger) -> None:
    """The mailbox was given back; the ledger is locked."""
    batch = ledger.batch(quiet=True)
    batch.note(RELEASED, b"%d" % ledger.table.uid_next)
    ledger.commit(batch)


def take(
    directory: str,
    host: Host,
    new_uid_validity: Callable[[int], int],
    facts: Facts,
    placed: Callable[[IndexTable], tuple[Sequence[Placed], Sequence[str]]],
) -> bool:
    """Put facts into the ledger of a directory.

    Args:
        directory: Its control directory.
        host: Disk, clock, lock waits.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        facts: What the other server kept.
        placed: Called with the ledger locked; gives the messages in the order of their
            UIDs, and the names of the keyword bits.

    Returns:
        Whether it was written; it was taken over before, if not.

    Raises:
        AlreadyServed: The ledger has UIDs of its own.
    """

    def above(least: int) -> int:
        return new_uid_validity(max(least, facts.uid_validity))

    ledger = Ledger(directory, host, above)
    try:
        with ledger.locked():
            given_back = is_released(ledger.table)
            if is_adopted(ledger.table) and RELEASED not in ledger.table.notes:
                return False
            if given_back and not _goes_on(ledger.table, facts):
                raise AlreadyServed(
                    f"{directory}: the mailbox was given back with UIDVALIDITY"
                    f" {ledger.table.uid_validity} and UIDNEXT {ledger.table.uid_next};"
                    f" the other server has {facts.uid_validity} and {facts.uid_next},"
                    " which does not go on from there. To take over its numbers all the"
                    " same, remove maildrop.ledger, maildrop.ledger.log and"
                    " maildrop.cache there"
                )
            if not is_untouched(ledger.table):
                raise AlreadyServed(
                    f"{directory}: maildrop has served this mailbox already: it gave"
                    f" UIDs up to {ledger.table.uid_next - 1} under UIDVALIDITY"
                    f" {ledger.table.uid_validity}. To take over the other server's all"
                    " the same, remove maildrop.ledger, maildrop.ledger.log and"
                    " maildrop.cache there; clients that saw maildrop's UIDs will load"
                    " the mailbox anew"
                )
            messages, keywords = placed(ledger.table)
            _fill(ledger.table, facts, messages, keywords)
            ledger.rewrite()
    finally:
        ledger.close()
    return True


def _goes_on(table: IndexTable, facts: Facts) -> bool:
    """Whether another server went on where a mailbox was given back."""
    same = facts.uid_validity == table.uid_validity
    return same and facts.uid_next >= table.uid_next


def _fill(
    table: IndexTable, facts: Facts, messages: Sequence[Placed], names: Sequence[str]
) -> None:
    """Make the columns of a table anew."""
    if facts.uid_validity:
        table.uid_validity = facts.uid_validity
    highest = max(facts.highest_mod_seq, table.highest_mod_seq, 1)
    table.keyword_names = list(names)
    table.uids = array(U32, (it.uid for it in messages))
    table.sizes = Column(U32, (min(it.size, _SIZE_MAX) for it in messages))
    table.dates = Column(I64, (it.date for it in messages))
    table.saved = Column(U32, (max(0, min(it.date, _SIZE_MAX)) for it in messages))
    table.keywords = Column(U32, (it.keywords for it in messages))
    table.flags = bytearray(it.flags for it in messages)
    table.mod_seqs = Column(U64, _mod_seqs(facts, messages, highest))
    table.cache = Column.zeros(U64, len(messages))
    table.object_ids = Column.zeros(U64, len(messages))
    table.checked = bytearray(len(messages))
    table.names.close()
    table.names = Names()
    table.names.extend([it.name for it in messages])
    table.expunged_uids, table.expunged_mod_seqs = array(U32), array(U64)
    table.notes = {}
    last = table.uids[-1] + 1 if table.uids else 1
    table.uid_next = max(facts.uid_next, last, table.uid_next)
    table.highest_mod_seq = highest
    table.forgotten_mod_seq = highest
    table.first_recent = min(facts.first_recent or table.uid_next, table.uid_next)
    table.source = b""
    _keep_unique_ids(table, facts)
    table.notes |= {note_of(it.uid): it.file for it in messages if it.file}
    table.notes[ADOPTED] = facts.server.encode("ascii")


def _mod_seqs(facts: Facts, messages: Sequence[Placed], highest: int) -> Iterable[int]:
    """As they were; the highest where none was kept: clients look once."""
    known: Mapping[int, int] = facts.mod_seqs
    return (min(known.get(it.uid) or highest, highest) for it in messages)


def _keep_unique_ids(table: IndexTable, facts: Facts) -> None:
    there = set(table.uids)
    if not facts.uidl_form:
        table.uidls = {uid: t for uid, t in facts.uidls.items() if uid in there}
        return
    form = UidlForm(facts.uidl_form, facts.uidl_validity, facts.uidl_shift)
    pattern = form.pattern()
    table.notes[UIDL_NOTE] = form.note()
    table.uidls = {
        uid: text
        for uid, text in facts.uidls.items()
        if uid in there and text != pattern % (uid + form.shift)
    }


def checked(facts: Facts) -> None:
    """Refuse facts that cannot be: numbers beyond what IMAP has.

    Raises:
        PermanentError: They are such.
    """
    if not 0 <= facts.uid_validity <= NUMBER_MAX or facts.uid_next > NUMBER_MAX:
        raise PermanentError("UIDVALIDITY or UIDNEXT is no number of IMAP")

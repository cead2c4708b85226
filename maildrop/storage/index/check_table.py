"""Whether what the ledger says can be true, whatever the mail files hold.

In this file:
    examine_table    everything that contradicts itself
    TableRepair      puts it right

Two ways of repair.  What a record of the log can say (flags, UIDNEXT, POP3 unique ids,
notes) is committed like any other change: sessions hear of it.  What none can say is
changed in the columns, and these are written as a new snapshot, which other processes
read whole (``Ledger.rewrite``).
"""

import itertools
import operator
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.storage.findings import Code, Finding, codes_in, shown, uids_of
from maildrop.storage.index.columns import U32, U64
from maildrop.storage.index.keyword_names import mended, wrong_names
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.salvage import keep_rows
from maildrop.storage.index.table import IndexTable
from maildrop.storage.index.uid_validity import NUMBER_MAX
from maildrop.storage.uidl_form import UidlForm

#: RFC 1939 section 7: one to 70 characters from %x21 to %x7E.
_UIDL: Final = re.compile(rb"[!-~]{1,70}")
#: From year 1 to 9999: four digits are all that a date-time has (RFC 9051 section 9,
#: date-year).
_DATES: Final = range(-62135596800, 253402300800)

#: What is kept of a message under its UID among the notes.
_NOTE: Final = re.compile(rb"[a-z]+/(\d{1,10})")


#: Code, UID, evidence, and which of several.
_Row = tuple[Code, int | None, str, str]
#: What the format makes a POP3 unique id of, for a row.
OwnUidl = Callable[[IndexTable, int], bytes]


def examine_table(
    table: IndexTable, mailbox: str, path: str, own_uidl: OwnUidl
) -> Iterator[Finding]:
    """Everything in a ledger that contradicts itself.

    Args:
        table: What the ledger says.
        mailbox: Whose it is.
        path: The ledger, for the findings.
        own_uidl: The POP3 unique id of a row for which none is fixed.
    """
    form = UidlForm.of(table)

    def uidl(table: IndexTable, row: int) -> bytes:
        return own_uidl(table, row) if form is None else form.text(table.uids[row])

    checks = (_numbers, _dates, _mod_seqs, _object_ids, _keywords, _expunged, _notes)
    rows = itertools.chain(*(check(table) for check in checks), _uidls(table, uidl))
    for code, uid, evidence, what in rows:
        yield Finding(code, mailbox, evidence, path, uid, what)


def is_ascending(uids: Sequence[int]) -> bool:
    """Whether every UID is above the one before, and the first above 0."""
    ordered = all(map(operator.lt, uids, itertools.islice(uids, 1, None)))
    return ordered and (not uids or uids[0] > 0)


def _numbers(table: IndexTable) -> Iterator[_Row]:
    if not 0 < table.uid_validity <= NUMBER_MAX:
        evidence = f"UIDVALIDITY is {table.uid_validity}"
        yield Code.UID_VALIDITY_ZERO, None, evidence, ""
    if not is_ascending(table.uids):
        pairs = itertools.pairwise(table.uids)
        at = next((f"{b} follows {a}" for a, b in pairs if b <= a), "a UID is 0")
        yield Code.UIDS_OUT_OF_ORDER, None, at, ""
    elif table.uids and table.uids[-1] >= table.uid_next:
        evidence = f"UIDNEXT is {table.uid_next}, and UID {table.uids[-1]} is there"
        yield Code.UID_NEXT_WRONG, None, evidence, ""
    if table.first_recent > table.uid_next:
        evidence = f"first recent UID {table.first_recent}, UIDNEXT {table.uid_next}"
        yield Code.RECENT_WRONG, None, evidence, ""


def _mod_seqs(table: IndexTable) -> Iterator[_Row]:
    highest = table.highest_mod_seq
    if table.mod_seqs and not (max(table.mod_seqs) <= highest and min(table.mod_seqs)):
        for uid, mod_seq in zip(table.uids, table.mod_seqs, strict=True):
            if not 0 < mod_seq <= highest:
                evidence = f"MODSEQ {mod_seq}, HIGHESTMODSEQ {highest}"
                yield Code.MOD_SEQ_WRONG, uid, evidence, ""


def _dates(table: IndexTable) -> Iterator[_Row]:
    if table.dates and not (min(table.dates) in _DATES and max(table.dates) in _DATES):
        for uid, date in zip(table.uids, table.dates, strict=True):
            if date not in _DATES:
                evidence = f"{date} seconds since 1970"
                yield Code.DATE_WRONG, uid, evidence, ""


def _object_ids(table: IndexTable) -> Iterator[_Row]:
    """Copies have the id of what they are copies of, and its size."""
    given = [number for number in table.object_ids if number]
    if len(given) == len(set(given)):
        return
    first: dict[int, tuple[int, int]] = {}
    for uid, number, size in zip(
        table.uids, table.object_ids, table.sizes, strict=True
    ):
        if number:
            before, its_size = first.setdefault(number, (uid, size))
            if size != its_size:
                evidence = (
                    f"UID {before} ({its_size} octets) and UID {uid} ({size} octets) "
                    f"have {number:016x}"
                )
                yield Code.OBJECT_ID_DOUBLED, uid, evidence, ""


def _keywords(table: IndexTable) -> Iterator[_Row]:
    names = table.keyword_names
    unnamed = ~((1 << len(names)) - 1)
    for uid, bits in zip(table.uids, table.keywords, strict=True):
        if bits & unnamed:
            evidence = f"keyword bits {bits:#x}, {len(names)} names"
            yield Code.KEYWORD_UNNAMED, uid, evidence, ""
    for number, name in wrong_names(names):
        yield Code.KEYWORD_INVALID, None, f"keyword {number} is {name!r}", str(number)


def _expunged(table: IndexTable) -> Iterator[_Row]:
    """The memory of expunged UIDs: one finding, with the first contradiction."""
    alive = set(table.uids)
    mod_seqs = table.expunged_mod_seqs
    wrong = ""
    if table.forgotten_mod_seq > table.highest_mod_seq:
        wrong = f"expunges up to MODSEQ {table.forgotten_mod_seq} are forgotten"
    elif mod_seqs and max(mod_seqs) > table.highest_mod_seq:
        wrong = f"MODSEQ {max(mod_seqs)} of an expunge"
    if wrong:
        wrong += f", HIGHESTMODSEQ is {table.highest_mod_seq}"
    for uid in table.expunged_uids:
        if uid in alive:
            wrong = f"UID {uid} is expunged, and there"
        elif not 0 < uid < table.uid_next:
            wrong = f"UID {uid} is expunged, UIDNEXT is {table.uid_next}"
    if wrong:
        yield Code.EXPUNGED_WRONG, None, wrong, ""


def _uidls(table: IndexTable, own_uidl: OwnUidl) -> Iterator[_Row]:
    """Fixed POP3 unique ids; those that formats make differ as names and UIDs do."""
    if not table.uidls:
        return
    fixed = table.uidls
    known = Counter(
        own_uidl(table, row) for row, uid in enumerate(table.uids) if uid not in fixed
    )
    for uid in sorted(fixed):
        text = fixed[uid]
        if table.row(uid) is None:
            yield Code.NOTE_LEFT_OVER, None, f"unique id of UID {uid}", f"uidl {uid}"
        elif not _UIDL.fullmatch(text) or known[text]:
            yield Code.UIDL_WRONG, uid, f"unique id {shown(text)!r}", ""
        known[text] += 1


def _notes(table: IndexTable) -> Iterator[_Row]:
    for name in table.notes:
        found = _NOTE.fullmatch(name)
        if found is not None and table.row(int(found[1])) is None:
            yield Code.NOTE_LEFT_OVER, None, f"note {shown(name)!r}", shown(name)


class TableRepair:
    """Puts right what ``examine_table`` finds.

    It has to happen before the mailbox itself is opened, which relies on all that.

    Args:
        ledger: The mailbox's, open.
        own_uidl: See ``examine_table``.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
    """

    def __init__(
        self,
        ledger: Ledger,
        own_uidl: OwnUidl,
        new_uid_validity: Callable[[int], int],
    ) -> None:
        self._ledger = ledger
        self._own_uidl = own_uidl
        self._new_uid_validity = new_uid_validity

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is found."""
        codes = codes_in(findings)
        with self._ledger.locked():
            if Code.UIDS_OUT_OF_ORDER in codes:
                _put_in_order(self._ledger.table)
            self._commit(findings)
            if self._change_columns(findings) or Code.UIDS_OUT_OF_ORDER in codes:
                self._ledger.rewrite()

    def _commit(self, findings: Sequence[Finding]) -> None:
        """What records of the log can say."""
        table, batch = self._ledger.table, self._ledger.batch()
        if table.uids and table.uids[-1] >= table.uid_next:
            batch.uid_next(min(table.uids[-1] + 1, NUMBER_MAX))
        touched = uids_of(findings, Code.MOD_SEQ_WRONG, Code.KEYWORD_UNNAMED)
        rows = table.rows(touched)
        if rows:
            named = (1 << len(table.keyword_names)) - 1
            batch.change_flags(
                [table.uids[row] for row in rows],
                bytes(table.flags[row] for row in rows),
                [table.keywords[row] & named for row in rows],
            )
        for row in table.rows(uids_of(findings, Code.UIDL_WRONG)):
            form = UidlForm.of(table)
            text = self._own_uidl(table, row)
            if form is not None:
                text = form.text(table.uids[row])
            batch.uidls([table.uids[row]], [text])
        for name in table.notes:
            found = _NOTE.fullmatch(name)
            if found is not None and table.row(int(found[1])) is None:
                batch.note(name, b"")
        if batch:
            self._ledger.commit(batch)

    def _change_columns(self, findings: Sequence[Finding]) -> bool:
        """What no record can say; whether there was something."""
        table, codes = self._ledger.table, codes_in(findings)
        if Code.UID_VALIDITY_ZERO in codes:
            table.uid_validity = self._new_uid_validity(0)
        table.keyword_names[:] = mended(table.keyword_names)
        if Code.RECENT_WRONG in codes:
            table.first_recent = table.uid_next
        if Code.EXPUNGED_WRONG in codes:
            table.expunged_uids = array(U32)
            table.expunged_mod_seqs = array(U64)
            table.forgotten_mod_seq = table.highest_mod_seq
        for row in table.rows(uids_of(findings, Code.OBJECT_ID_DOUBLED)):
            table.object_ids[row] = 0
        for row in table.rows(uids_of(findings, Code.DATE_WRONG)):
            table.dates[row] = table.saved[row]
        gone = [uid for uid in table.uidls if table.row(uid) is None]
        for uid in gone:
            del table.uidls[uid]
        return bool(gone or codes & _IN_COLUMNS)


#: What ``TableRepair`` puts right.
IN_TABLE: Final = frozenset(
    {
        Code.UID_VALIDITY_ZERO,
        Code.UIDS_OUT_OF_ORDER,
        Code.UID_NEXT_WRONG,
        Code.MOD_SEQ_WRONG,
        Code.RECENT_WRONG,
        Code.EXPUNGED_WRONG,
        Code.KEYWORD_UNNAMED,
        Code.KEYWORD_INVALID,
        Code.UIDL_WRONG,
        Code.OBJECT_ID_DOUBLED,
        Code.DATE_WRONG,
        Code.NOTE_LEFT_OVER,
    }
)
#: That for which the log has no record.
_IN_COLUMNS: Final = {
    Code.UID_VALIDITY_ZERO,
    Code.KEYWORD_INVALID,
    Code.RECENT_WRONG,
    Code.EXPUNGED_WRONG,
    Code.OBJECT_ID_DOUBLED,
    Code.DATE_WRONG,
}


def _put_in_order(table: IndexTable) -> None:
    """Rows by UID; those with a UID that another one has, or with none, go.

    Their messages are found again and get UIDs that nobody had.
    """
    times = Counter(table.uids)
    rows = [row for row, uid in enumerate(table.uids) if uid and times[uid] == 1]
    rows.sort(key=table.uids.__getitem__)
    table.uid_next = max(table.uid_next, min(max(times, default=0) + 1, NUMBER_MAX))
    keep_rows(table, rows)
    table.source = b""  # somebody has to look

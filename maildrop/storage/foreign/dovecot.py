r"""What Dovecot keeps of a mailbox, all its files together.

In this file:
    read_maildir    the facts of a Maildir
    read_index      the index of a directory with its logs
    is_locked       whether Dovecot is at work on a Maildir
    UIDL_FORM       Dovecot's default for POP3 unique ids

What is believed, of a Maildir: ``dovecot-uidlist`` for UIDs; file names for flags and
for keywords that have a letter; the index for flags that were not written into file
names yet, for keywords without a letter (more than 26), for MODSEQs and ``\Recent``.
An index of another UIDVALIDITY, or one that is damaged, is left aside: Dovecot would
make it anew from the files.
"""

import os
from typing import Final

from maildrop.mailbox.flags import is_keyword
from maildrop.storage.foreign import dovecot_index, dovecot_keywords, dovecot_log
from maildrop.storage.foreign.dovecot_index import Index, system_flags
from maildrop.storage.foreign.dovecot_log import LogHeader, carry_out
from maildrop.storage.foreign.dovecot_uidlist import FILE, LOCK, Uidlist, parse
from maildrop.storage.foreign.facts import Facts, Unreadable, octets_of

UIDL_FORM: Final = b"%08Xu%08Xv"


def is_locked(path: str) -> bool:
    """Whether Dovecot holds the lock of a Maildir's UIDs."""
    return os.path.lexists(f"{path}/{LOCK}")


def read_maildir(path: str) -> Facts | None:
    """The facts of a Maildir; None when Dovecot was never there.

    Raises:
        Unreadable: ``dovecot-uidlist`` or ``dovecot-keywords`` is damaged.
    """
    octets = octets_of(f"{path}/{FILE}")
    if octets is None:
        return None
    uidlist = parse(octets, f"{path}/{FILE}")
    facts = Facts("dovecot", uidlist.uid_validity, uidlist.uid_next)
    facts.uidl_form, facts.uidl_validity = UIDL_FORM, uidlist.uid_validity
    _take_entries(facts, uidlist)
    name = f"{path}/{dovecot_keywords.FILE}"
    keywords = octets_of(name, dovecot_keywords.OCTETS_MAX)
    if keywords is not None:
        facts.letters = dovecot_keywords.parse(keywords, name)
    index = usable_index(path, facts)
    if index is not None:
        _take_index(facts, index)
    return facts


def _take_entries(facts: Facts, uidlist: Uidlist) -> None:
    for entry in uidlist.entries:
        facts.uids[entry.name] = entry.uid
        uidl = entry.fields.get(b"P")
        if uidl:
            facts.uidls[entry.uid] = uidl
    if any(b"O" in entry.fields for entry in uidlist.entries):
        facts.remarks.append(
            "POP3 lists messages in the order of their UIDs; another one was kept"
        )


def usable_index(path: str, facts: Facts) -> Index | None:
    """The index of a directory, if it speaks of the mailbox that the facts are of."""
    try:
        index = read_index(path)
    except Unreadable as error:
        facts.remarks.append(f"the index is left aside: {error}")
        return None
    if index is None:
        return None
    validity = index.number(dovecot_index.UID_VALIDITY)
    if not validity:  # it was begun and never used
        facts.highest_mod_seq = index.highest_mod_seq
        return None
    if facts.uid_validity and validity != facts.uid_validity:
        facts.remarks.append(
            f"the index in {path} is left aside: its UIDVALIDITY is {validity}, not"
            f" {facts.uid_validity}"
        )
        return None
    return index


def _take_index(facts: Facts, index: Index) -> None:
    facts.uid_next = max(facts.uid_next, index.number(dovecot_index.NEXT_UID))
    take_common(facts, index)
    known = {name.lower() for name in facts.letters}
    there = set(facts.uids.values())
    for uid, row in index.rows.items():
        if uid not in there:
            continue
        names = tuple(name for name in index.names_of(row) if is_keyword(name))
        if uid in index.pending:
            facts.flags[uid] = system_flags(row.flags)
            facts.keywords[uid] = names
            continue
        more = tuple(name for name in names if name.lower() not in known)
        if more:
            facts.more_keywords[uid] = more


def take_common(facts: Facts, index: Index) -> None:
    """What the index holds of a mailbox of any format."""
    facts.first_recent = index.number(dovecot_index.FIRST_RECENT)
    facts.highest_mod_seq = index.highest_mod_seq
    for uid, row in index.rows.items():
        if row.mod_seq:
            facts.mod_seqs[uid] = row.mod_seq
    if index.to_expunge:
        facts.remarks.append(
            f"{len(index.to_expunge)} messages whose removal was not finished stay:"
            f" UIDs {_some(sorted(index.to_expunge))}"
        )


def _some(uids: list[int]) -> str:
    shown = ", ".join(map(str, uids[:10]))
    return f"{shown} ..." if len(uids) > 10 else shown


def read_index(path: str) -> Index | None:
    """The index of a directory with its logs; None when there is none.

    Raises:
        Unreadable: It is damaged, or a part is missing.
    """
    file = f"{path}/{dovecot_index.FILE}"
    logs = _logs(path)
    octets = octets_of(file)
    if octets is None:
        return _from_logs(logs)
    index = dovecot_index.parse(octets, file)
    sequence = index.number(dovecot_index.LOG_SEQUENCE)
    start = index.number(dovecot_index.LOG_HEAD)
    for number, (name, log) in sorted(logs.items()):
        if number < sequence:
            continue
        if number > sequence + 1:
            raise Unreadable(f"{name}: the log before it is missing")
        carry_out(index, log, start if number == sequence else 0, name)
        sequence, start = number, len(log)
    return index


def _logs(path: str) -> dict[int, tuple[str, bytes]]:
    """Logs by their numbers."""
    found = {}
    for file in (dovecot_log.FILE_BEFORE, dovecot_log.FILE):
        octets = octets_of(f"{path}/{file}")
        if octets:
            header = LogHeader.parse(octets, f"{path}/{file}")
            found[header.sequence] = f"{path}/{file}", octets
    return found


def _from_logs(logs: dict[int, tuple[str, bytes]]) -> Index | None:
    """The index that the logs make of nothing."""
    if not logs:
        return None
    index = Index()
    first = min(logs)
    name, octets = logs[first]
    header = LogHeader.parse(octets, name)
    if header.previous:
        raise Unreadable(f"{name}: neither an index nor the log before it is there")
    at = dovecot_index.INDEX_ID
    index.header[at : at + 4] = header.index_id.to_bytes(4, "little")
    for number, (file, log) in sorted(logs.items()):
        if number > first + 1:
            raise Unreadable(f"{file}: the log before it is missing")
        carry_out(index, log, 0, file)
        first = number
    return index

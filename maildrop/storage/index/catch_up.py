"""From one state of a mailbox to a later one, when the steps between are lost.

In this file:
    take_over    bring a table, and the views on it, up to another one
"""

from maildrop.errors import MailboxVanished
from maildrop.storage.index.names import Names
from maildrop.storage.index.table import IndexTable


def take_over(table: IndexTable, newer: IndexTable) -> None:
    """Make ``table`` the same as ``newer`` and tell its views what is different.

    Args:
        table: Seen by sessions; stays the same object.
        newer: A later state of the same mailbox, read from disk; used up.

    Raises:
        MailboxVanished: Messages that the sessions know are in another order.
    """
    mod_seq = newer.highest_mod_seq
    kept = set(newer.uids)
    gone = [row for row, uid in enumerate(table.uids) if uid not in kept]
    if gone:
        table.remove_rows(gone, mod_seq, None)
    old = len(table)
    if table.uids != newer.uids[:old]:
        raise MailboxVanished("the mailbox was put in order")
    before, after = table.mod_seqs.numbers(), newer.mod_seqs.numbers()
    changed = [table.uids[row] for row in range(old) if before[row] != after[row]]
    table.grew(newer.octets() - table.octets())
    table.sizes = newer.sizes
    table.dates = newer.dates
    table.mod_seqs = newer.mod_seqs
    table.keywords = newer.keywords
    table.cache = newer.cache
    table.saved = newer.saved
    table.object_ids = newer.object_ids
    table.replace_flags(newer.flags)
    table.checked = bytearray(len(newer))
    table.uids.extend(newer.uids[old:])
    table.keyword_names[:] = newer.keyword_names
    table.names.close()
    table.names = newer.names
    newer.names = Names()
    for name in (
        "uid_next",
        "highest_mod_seq",
        "first_recent",
        "expunged_uids",
        "expunged_mod_seqs",
        "forgotten_mod_seq",
        "uidls",
        "notes",
        "source",
        "boot",
        "cache_id",
        "cache_keys",
    ):
        setattr(table, name, getattr(newer, name))
    if changed:
        table.record(changed, mod_seq, None)

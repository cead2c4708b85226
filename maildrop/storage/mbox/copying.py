"""Copying messages of an mbox: read here, added there.

In this file:
    copied    the messages of some UIDs, in another mailbox
"""

from collections.abc import Callable, Sequence

from maildrop.durable import Content
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.mailbox.interfaces import Copied, NewMessage, StoredMailbox
from maildrop.mailbox.quota import Counted


def copied(
    source: StoredMailbox,
    uids: Sequence[int],
    target: StoredMailbox,
    counted: Counted = Counted.LIMITED,
    *,
    stage: Callable[[Sequence[NewMessage]], object] | None = None,
) -> Copied:
    """Copy messages with flags, keywords and dates; all or none.

    Args:
        source: Where they are.
        uids: Which.
        target: Where they go.
        counted: What they are for the quota.
        stage: Stages them there; None for what the target does.
    """
    table = source.table
    found, messages = [], []
    for uid, octets in zip(uids, source.read_many(uids), strict=True):
        row = table.row(uid)
        if octets is None or row is None:
            continue
        found.append(uid)
        messages.append(
            NewMessage(
                Content.of(octets),
                flags=table.flags[row] & ALL_SYSTEM,
                keywords=tuple(table.keywords_of(table.keywords[row])),
                date=table.dates[row],
                counted=counted,
            )
        )
    staged = (stage or target.stage)(messages)
    try:
        new = target.publish(staged, None)
    except BaseException:
        target.discard(staged)
        raise
    return Copied(target.table.uid_validity, found, new)

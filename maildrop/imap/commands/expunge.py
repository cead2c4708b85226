r"""EXPUNGE and UID EXPUNGE: remove the messages with ``\Deleted`` for good."""

from maildrop.errors import AccessDenied
from maildrop.imap.selected import Selected
from maildrop.imap.session import Session
from maildrop.imap.wire import expunge as wire, responses
from maildrop.message.sequence_set import SequenceSet


async def expunge(session: Session, command: wire.Expunge) -> bytes:
    """EXPUNGE: RFC 3501 section 6.4.3; UID EXPUNGE: RFC 4315 section 2.1.

    The EXPUNGE responses are told as news, before the tagged answer.
    """
    selected = session.mailbox
    if selected.read_only:
        raise AccessDenied("EXPUNGE in a read-only mailbox")
    await remove(selected, command.uids)
    return responses.ok(command.tag, b"Expunge completed")


async def remove(selected: Selected, among: SequenceSet | None) -> int:
    r"""Remove the messages with ``\Deleted`` that the client knows of.

    Args:
        selected: Where.
        among: Only those with these UIDs; None for all.

    Returns:
        How many were removed.
    """
    await selected.mailbox.follow()
    view = selected.view
    uids = selected.mailbox.table.deleted_uids()
    if among is not None:
        named = set(selected.named(among, uid=True))
        uids = [uid for uid in uids if uid in named]
    elif uids and view.number(uids[-1]) is None:
        uids = [uid for uid in uids if view.number(uid) is not None]
    if not uids:
        return 0
    return len(await selected.mailbox.expunge(uids, view))

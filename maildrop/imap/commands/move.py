"""MOVE and UID MOVE: put messages into another mailbox instead."""

from maildrop.errors import AccessDenied, MessageExpunged
from maildrop.imap.commands.copy import target_of
from maildrop.imap.session import Session
from maildrop.imap.wire import move as wire, responses


async def move(session: Session, command: wire.Move) -> bytes:
    """MOVE: RFC 6851 section 3; COPYUID comes before the EXPUNGE responses (4.3).

    The latter are told as news, before the tagged answer.
    """
    selected = session.mailbox
    uids = selected.named(command.messages, uid=command.uid)
    if selected.read_only:
        raise AccessDenied("MOVE out of a read-only mailbox")
    target = await target_of(session, command.mailbox)
    try:
        if not uids:
            return responses.ok(command.tag, b"No messages to move")
        moved = await selected.mailbox.move(uids, target, selected.view)
    finally:
        await target.leave()
    if moved.source:
        code = responses.copy_uid(moved.uid_validity, moved.source, moved.target)
        session.write(responses.ok(responses.UNTAGGED, b"Moved", code))
    elif not command.uid:
        raise MessageExpunged("MOVE of expunged messages")
    return responses.ok(command.tag, b"Move completed")

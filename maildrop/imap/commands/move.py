"""MOVE and UID MOVE: put messages into another mailbox instead."""

from maildrop.errors import AccessDenied, MessageExpunged
from maildrop.imap.commands.copy import target_of, to_target
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
    if not uids:
        await (await target_of(session, command.mailbox)).leave()
        return responses.ok(command.tag, b"No messages to move")
    view = selected.view
    moved = await to_target(
        session, command.mailbox, lambda to: selected.mailbox.move(uids, to, view)
    )
    if moved.source:
        code = responses.copy_uid(moved.uid_validity, moved.source, moved.target)
        session.write(responses.ok(responses.UNTAGGED, b"Moved", code))
    elif not command.uid:
        raise MessageExpunged("MOVE of expunged messages")
    return responses.ok(command.tag, b"Move completed")

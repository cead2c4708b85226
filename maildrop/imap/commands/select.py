"""SELECT and EXAMINE: open a mailbox.

A mailbox that was selected is left first, also when the new one cannot be opened
(RFC 3501 section 6.3.1); ``[CLOSED]`` (RFC 7162 section 3.2.11) says where its
responses end.
"""

from maildrop.imap import respond
from maildrop.imap.selected import Selected
from maildrop.imap.session import Session
from maildrop.imap.updates import claim, flag_names, permanent
from maildrop.imap.wire import responses, select as wire
from maildrop.imap.wire.responses import UNTAGGED


async def select(session: Session, command: wire.Select) -> bytes:
    """SELECT and EXAMINE: RFC 3501 sections 6.3.1 and 6.3.2."""
    if command.parameters:
        raise respond.UnknownParameter("a parameter of SELECT")
    await deselect(session)
    mailbox = await session.mail.open(session.name(command.mailbox))
    read_only = command.read_only or mailbox.read_only
    selected = Selected(mailbox, read_only=read_only)
    session.select(selected)
    session.write(_situation(selected))
    if read_only:
        return responses.ok(command.tag, b"Mailbox opened", b"READ-ONLY")
    await claim(session, selected)
    return responses.ok(command.tag, b"Mailbox opened", b"READ-WRITE")


async def deselect(session: Session) -> None:
    """Leave the selected mailbox, if there is one, and say so."""
    if await session.deselect():
        closed = responses.ok(UNTAGGED, b"Previous mailbox closed", b"CLOSED")
        session.write(closed)


def _situation(selected: Selected) -> bytes:
    """What a client is told of a mailbox that was opened."""
    table = selected.mailbox.table
    codes = [
        (
            responses.permanent_flags(permanent(selected)),
            b"Read-only" if selected.read_only else b"Flags that can be changed",
        )
    ]
    first_unseen = table.first_unseen
    if first_unseen is not None:
        codes.append((responses.unseen(first_unseen + 1), b"First unseen"))
    codes += [
        (responses.uid_validity(table.uid_validity), b"UIDs valid"),
        (responses.uid_next(table.uid_next), b"Predicted next UID"),
    ]
    return b"".join(
        (
            wire.flags(flag_names(table)),
            wire.exists(selected.view.count),
            wire.recent(selected.view.recent()),
            *(responses.ok(UNTAGGED, text, code) for code, text in codes),
        )
    )

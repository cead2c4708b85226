"""UIDL: RFC 1939 section 7."""

from maildrop.errors import MessageExpunged
from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END
from maildrop.pop3.wire.replies import ok


async def uidl(session: Session, command: Command) -> None:
    """Tell the unique-id of one message, or of all."""
    snapshot = session.snapshot
    number = command.number
    if number is not None:
        snapshot.uid(number)  # before anything else: there may be no such message
    uidls = await session.uidls()
    if number is not None:
        if not uidls[number - 1]:
            raise MessageExpunged("removed since login")
        session.write(b"+OK %d %b\r\n" % (number, uidls[number - 1]))
        return
    session.write(ok(b"Unique-ids follow"))
    await session.write_listing(snapshot.uidls_listed(uidls, session.settings.piece))
    session.write(END)

"""TOP: RFC 1939 section 7."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END, stuffed, top as top_of
from maildrop.pop3.wire.replies import ok


async def top(session: Session, command: Command) -> None:
    """Send the header of a message, and the first lines of its body."""
    uid = session.snapshot.uid(command.number or 0)
    octets = await session.read(uid)
    session.write(ok(b"Top of message follows"))
    session.write(stuffed(top_of(octets, command.lines)))
    session.write(END)
    await session.drained()

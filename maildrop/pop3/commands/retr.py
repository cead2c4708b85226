"""RETR: RFC 1939 section 5."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END, stuffed


async def retr(session: Session, command: Command) -> None:
    """Send a message.

    One with octets above 127 in its header goes out as it is, UTF8 said or not: RFC
    6856 section 2 would have it refused, and the client that has always shown such
    mail would lose it.
    """
    uid = session.snapshot.uid(command.number or 0)
    octets = await session.read(uid)
    session.was_read(uid)
    session.write(b"+OK %d octets\r\n" % len(octets))
    session.write(stuffed(octets))
    session.write(END)
    await session.drained()

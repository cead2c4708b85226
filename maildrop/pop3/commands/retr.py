"""RETR: RFC 1939 section 5.

One with octets above 127 in its header goes out as it is, UTF8 said or not: RFC 6856
section 2 would have it refused, and the client that has always shown such mail would
lose it.
"""

from collections.abc import Coroutine
from typing import Any

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END, stuffed


def retr(session: Session, command: Command) -> Coroutine[Any, Any, None] | None:
    """Send a message; at once, if it was read ahead."""
    uid = session.snapshot.uid(command.number or 0)
    octets = session.read_at_once(uid)
    if octets is None:
        return _retr(session, uid)
    _send(session, uid, octets)
    return session.drained() if session.behind else None


async def _retr(session: Session, uid: int) -> None:
    _send(session, uid, await session.read(uid))
    await session.drained()


def _send(session: Session, uid: int, octets: bytes) -> None:
    session.was_read(uid)
    session.write(b"+OK %d octets\r\n" % len(octets))
    session.write(stuffed(octets))
    session.write(END)

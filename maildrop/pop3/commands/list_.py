"""LIST: RFC 1939 section 5."""

from collections.abc import Coroutine
from typing import Any

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END


def list_(session: Session, command: Command) -> Coroutine[Any, Any, None] | None:
    """Tell the octets of one message, or of all."""
    snapshot = session.snapshot
    number = command.number
    if number is None:
        return _all(session)
    session.write(b"+OK %d %d\r\n" % (number, snapshot.size(number)))
    return None


async def _all(session: Session) -> None:
    snapshot = session.snapshot
    count = snapshot.count - snapshot.deleted
    session.write(b"+OK %d messages (%d octets)\r\n" % (count, snapshot.octets))
    await session.write_listing(snapshot.sizes_listed(session.settings.piece))
    session.write(END)

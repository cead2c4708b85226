"""QUIT: RFC 1939 sections 4 and 6."""

from collections.abc import Coroutine
from typing import Any

from maildrop.errors import MaildropError
from maildrop.pop3.session import Session, State
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import Code, err, ok


def quit_(session: Session, command: Command) -> Coroutine[Any, Any, None] | None:
    """End the session; after login, remove what is marked as deleted."""
    del command
    if session.state is State.TRANSACTION:
        return _update(session)
    session.write(ok(b"Bye"))
    session.connection.close()
    return None


async def _update(session: Session) -> None:
    try:
        await session.update()
    except MaildropError as error:
        session.log_failure("QUIT", error)
        session.write(err(b"Some deleted messages not removed", Code.SYS_TEMP))
    else:
        session.write(ok(b"Bye"))
    session.connection.close()

"""IDLE: the client waits, and is told what happens when it happens.

The connection ends, as any other, when nothing was heard from the client for half an
hour; RFC 2177 section 3 asks clients to begin anew every 29 minutes.
"""

from maildrop.imap.session import Session
from maildrop.imap.wire import idle as wire, responses


async def idle(session: Session, _: wire.Idle) -> None:
    """IDLE: RFC 2177 section 3."""
    session.reader.expect_done()
    session.write(responses.continuation(b"Idling"))
    session.end_idle = _no_news
    if session.selected is not None:
        session.selected.forget()
        session.end_idle = session.selected.mailbox.listen(session.link.changed)
        await session.selected.mailbox.refresh()
        session.link.changed()


def _no_news() -> None:
    """No mailbox is selected, so there is nothing to listen to."""


async def done(session: Session) -> bytes | None:
    """DONE, the end of IDLE."""
    if not await end(session):
        return None
    return responses.ok(session.tag, b"Idle completed")


async def end(session: Session) -> bool:
    """Listen no more; whether the client was in IDLE."""
    end_idle, session.end_idle = session.end_idle, None
    if end_idle is None:
        return False
    end_idle()
    await session.link.told()
    return True

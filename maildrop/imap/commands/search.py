"""SEARCH and UID SEARCH: find messages."""

from maildrop.imap.session import Session
from maildrop.imap.wire import responses, search as wire
from maildrop.mailbox.search import search as find


async def search(session: Session, command: wire.Search) -> bytes:
    """SEARCH: RFC 3501 section 6.4.4."""
    selected = session.mailbox
    found = await find(
        selected.mailbox, selected.view, command.criterion, session.link.breathe
    )
    numbers = found if command.uid else selected.numbers(found)
    session.write(wire.response(numbers))
    return responses.ok(command.tag, b"Search completed")

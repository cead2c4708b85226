"""FETCH and UID FETCH: read messages.

In this file:
    fetch            any
    fetch_at_once    the usual one of a client that carries its mailbox away: messages
                     one after the other, each of which was read ahead
"""

from maildrop.errors import MessageExpunged
from maildrop.imap.fetching import response, send
from maildrop.imap.session import Session
from maildrop.imap.updates import quiet
from maildrop.imap.wire import fetch as wire, responses

_COMPLETED = b"Fetch completed"


async def fetch(session: Session, command: wire.Fetch) -> bytes:
    """FETCH: RFC 3501 section 6.4.5; expunged messages: RFC 2180 section 4.1.3."""
    selected = session.mailbox
    spans = selected.spans(command.messages, uid=command.uid)
    missing = await send(session, selected, spans, command.items)
    if missing and not command.uid:
        raise MessageExpunged("FETCH of expunged messages")
    return responses.ok(command.tag, _COMPLETED)


def fetch_at_once(
    session: Session, command: wire.Fetch, look: bool
) -> list[bytes] | None:
    """The whole answer, if it is one message that was read ahead."""
    selected = session.mailbox
    if not selected.reading.holds:
        return None
    formatter = session.site.formatters.of(command.items)
    spans = selected.spans(command.messages, uid=command.uid)
    if (
        not formatter.whole
        or len(spans) != 1
        or len(spans[0]) != 1
        or not quiet(selected, look=look)
    ):
        return None
    place = spans[0].start
    octets = selected.reading.take(selected.view.uids[place])
    if octets is None:
        return None
    session.counts.fetched += 1
    pieces = response(selected, formatter, place, place, octets)
    pieces[-1] += responses.ok(command.tag, _COMPLETED)
    return pieces

"""ENABLE: turn extensions on."""

from typing import Final

from maildrop.imap.session import Session
from maildrop.imap.wire import enable as wire, responses

#: Extensions that change what a client is told, and so wait for ENABLE.
KNOWN: Final[frozenset[bytes]] = frozenset()


async def enable(session: Session, command: wire.Enable) -> bytes:
    """ENABLE: RFC 5161 section 3.1; what is not known is passed over."""
    new = [
        name
        for name in dict.fromkeys(command.capabilities)
        if name in KNOWN and name not in session.enabled
    ]
    session.enabled.update(new)
    session.write(wire.enabled(new))
    return responses.ok(command.tag, b"Enable completed")

"""ID: who the client is, and who the server."""

from typing import Final

from maildrop.imap.session import Session
from maildrop.imap.wire import id_ as wire, responses

#: What is logged of what a client says of itself, and how much of each value.
_LOGGED: Final = (b"name", b"version", b"os")
_LENGTH: Final = 64


async def id_(session: Session, command: wire.Id) -> bytes:
    """ID: RFC 2971."""
    said = {name.lower(): value for name, value in command.fields if value}
    client = " ".join(
        said[name][:_LENGTH].decode("ascii", "replace")
        for name in _LOGGED
        if said.get(name)
    )
    if client:
        # Escaped: what a client says must not look like something that we say.
        session.note(
            "client at {peer} is {client}",
            peer=str(session.link.peer),
            client=ascii(client),
        )
    session.write(wire.response(dict(session.site.identity)))
    return responses.ok(command.tag, b"Id completed")

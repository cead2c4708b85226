"""STARTTLS: TLS begins.

Security: what a client sent behind STARTTLS in clear could have been put there by
somebody on the way.  It is never taken for what comes after; the connection is closed.
"""

from maildrop.imap import respond
from maildrop.imap.session import Session
from maildrop.imap.wire import responses, starttls as wire


async def starttls(session: Session, command: wire.Starttls) -> None:
    """STARTTLS: RFC 3501 section 6.2.1."""
    tls = session.site.tls
    if tls is None or session.link.peer.encryption is not None:
        raise respond.WrongState("no TLS to begin")
    if session.reader.pending:
        session.warn(
            "octets in clear behind STARTTLS from {peer}", peer=str(session.link.peer)
        )
        session.reader.discard()
        session.bye(respond.INJECTED)
        return
    session.write(responses.ok(command.tag, b"Begin TLS now"))
    session.link.start_tls(tls())

"""STLS: RFC 2595 section 4."""

from maildrop.pop3.session import Session
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.replies import Code, err, ok


def stls(session: Session, command: Command) -> None:
    """Begin TLS; what the client said before it is forgotten.

    Security: octets that came in clear behind the command are not its client's words
    for sure; the connection is closed without reading them.
    """
    del command
    make_context = session.services.tls
    connection = session.connection
    if connection.peer.encryption is not None:
        session.write(err(b"TLS is on already"))
        return
    if make_context is None:
        session.write(err(b"No TLS here", Code.SYS_PERM))
        return
    if connection.clear_octets:
        session.log_stuffing()
        connection.close()
        return
    context = make_context()
    session.write(ok(b"Begin TLS"))
    session.user = None
    session.utf8 = False
    connection.start_tls(context)

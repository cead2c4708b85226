"""STARTTLS: from here on encrypted."""

from twisted.logger import Logger

from maildrop.smtp import respond
from maildrop.smtp.session import Session
from maildrop.smtp.wire.reply import reply

_log = Logger()

_READY = reply(220, "Begin TLS", "2.0.0")
_ENCRYPTED = reply(503, "TLS is in use already", "5.5.1")


def starttls(session: Session, argument: bytes) -> None:
    """STARTTLS: RFC 3207 section 4.

    Octets that came in clear behind the command were sent by somebody who wants them
    to be read inside TLS: they are dropped, and the connection with them.
    """
    if argument:
        session.error(respond.NO_ARGUMENT)
        return
    if session.link.peer.encryption is not None:
        session.error(_ENCRYPTED)
        return
    if session.site.tls is None:
        session.error(respond.NOT_OFFERED)
        return
    if session.reader.holds_octets:
        _log.warn("octets before TLS from {peer}, closing", peer=session.link.peer)
        session.link.close()
        return
    session.reply(_READY)
    session.link.start_tls(session.site.tls())
    session.restart()

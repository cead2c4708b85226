"""CAPA: RFC 2449 section 5."""

from maildrop.pop3.session import Session, State
from maildrop.pop3.wire.commands import Command
from maildrop.pop3.wire.multiline import END
from maildrop.pop3.wire.replies import ok


def capa(session: Session, command: Command) -> None:
    """Tell what this server can do, here and now."""
    del command
    lines = [
        b"TOP",
        b"UIDL",
        b"RESP-CODES",
        b"AUTH-RESP-CODE",
        b"PIPELINING",
        b"EXPIRE NEVER",
        b"LOGIN-DELAY %d" % session.services.delay.seconds,
        b"UTF8 USER",
        b"LANG",
        b"IMPLEMENTATION %b" % session.settings.implementation.encode(),
    ]
    if session.state is State.AUTHORIZATION:
        lines += _before_login(session)
    session.write(ok(b"Capabilities follow") + b"\r\n".join([*lines, END]))


def _before_login(session: Session) -> list[bytes]:
    judge = session.services.judge
    peer = session.connection.peer
    lines = []
    if session.services.tls is not None and peer.encryption is None:
        lines.append(b"STLS")
    if judge.allows_cleartext(peer.secure):
        lines.append(b"USER")
    mechanisms = judge.mechanisms(peer.secure)
    if mechanisms:
        lines.append(b"SASL %b" % " ".join(mechanisms).encode())
    return lines

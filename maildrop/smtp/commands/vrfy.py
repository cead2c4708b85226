"""VRFY: asks whether a user exists."""

from maildrop.smtp.session import Session
from maildrop.smtp.wire.reply import reply

_ANSWER = reply(252, "Send a message to find out", "2.1.5")
_SYNTAX = reply(501, "Syntax: VRFY address", "5.5.4")


def vrfy(session: Session, argument: bytes) -> None:
    """VRFY: RFC 5321 section 4.1.1.6; answered as section 7.3 allows."""
    if argument:
        session.reply(_ANSWER)
    else:
        session.error(_SYNTAX)

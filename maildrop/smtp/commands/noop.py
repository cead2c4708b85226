"""NOOP: nothing."""

from maildrop.smtp import respond
from maildrop.smtp.session import Session


def noop(session: Session, argument: bytes) -> None:
    """NOOP: RFC 5321 section 4.1.1.9; a string after it means nothing."""
    del argument
    session.reply(respond.OK)

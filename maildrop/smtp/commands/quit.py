"""QUIT: the end."""

from maildrop.smtp import respond
from maildrop.smtp.session import Session


def quit(session: Session, argument: bytes) -> None:  # noqa: A001 (the command's name)
    """QUIT: RFC 5321 section 4.1.1.10."""
    if argument:
        session.error(respond.NO_ARGUMENT)
        return
    session.close(respond.BYE)

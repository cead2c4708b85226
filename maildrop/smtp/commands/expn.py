"""EXPN: asks who is on a mailing list."""

from maildrop.smtp import respond
from maildrop.smtp.session import Session


def expn(session: Session, argument: bytes) -> None:
    """EXPN: RFC 5321 section 4.1.1.7; not offered, as section 7.3 allows."""
    del argument
    session.error(respond.NOT_OFFERED)

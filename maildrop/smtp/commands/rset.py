"""RSET: the transaction is forgotten."""

from maildrop.smtp import respond
from maildrop.smtp.session import Session


def rset(session: Session, argument: bytes) -> None:
    """RSET: RFC 5321 section 4.1.1.5."""
    if argument:
        session.error(respond.NO_ARGUMENT)
        return
    session.end_transaction()
    session.reply(respond.OK)

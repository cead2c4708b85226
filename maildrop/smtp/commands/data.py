"""DATA: the message itself, ended by CRLF.CRLF."""

from maildrop.smtp import content, respond
from maildrop.smtp.session import Session


def data(session: Session, argument: bytes) -> None:
    """DATA: RFC 5321 section 4.1.1.4."""
    if argument:
        session.error(respond.NO_ARGUMENT)
        return
    if session.reader.by_hand:
        session.error(respond.LF_CONNECTION)
        return
    session.ended = content.finish
    session.reader.expect_content(session.site.limits.message)
    session.link.allow_silence(session.site.limits.content_idle)
    session.reply(respond.START_CONTENT)

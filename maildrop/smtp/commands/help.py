"""HELP: what can be said."""

from maildrop.smtp.service import Service
from maildrop.smtp.session import Session
from maildrop.smtp.wire.reply import reply

_VERBS = "MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS"
_HELLOS = {
    Service.SMTP: "HELO EHLO",
    Service.SUBMISSION: "HELO EHLO AUTH",
    Service.LMTP: "LHLO",
}


def help(session: Session, argument: bytes) -> None:  # noqa: A001 (the command's name)
    """HELP: RFC 5321 section 4.1.1.8."""
    del argument
    hellos = _HELLOS[session.site.service]
    session.reply(reply(214, f"Commands: {hellos} {_VERBS}", "2.0.0"))

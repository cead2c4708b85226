"""HELP: what can be said."""

from maildrop.smtp.session import Session
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import ALLOWED


def help(session: Session, argument: bytes) -> None:  # noqa: A001 (the command's name)
    """HELP: RFC 5321 section 4.1.1.8."""
    del argument
    verbs = sorted(frozenset().union(*ALLOWED.values()))
    session.reply(reply(214, "Commands: " + b" ".join(verbs).decode(), "2.0.0"))

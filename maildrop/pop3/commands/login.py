"""The end of every login: PASS and AUTH alike.

In this file:
    log_in    judges what the client claims, and answers
"""

from maildrop.errors import AuthenticationFailed, MaildropError
from maildrop.pop3.respond import refusal
from maildrop.pop3.session import Session, TooSoon
from maildrop.pop3.wire.replies import Code, err, ok
from maildrop.sasl.exchange import Outcome


async def log_in(session: Session, outcome: Outcome, mechanism: str) -> None:
    """Judge, lock the maildrop, answer."""
    try:
        count = await session.login(outcome, mechanism)
    except TooSoon as error:
        session.connection.live.note("login refused", why=str(error))
        session.write(err(b"Logged in a short while ago", Code.LOGIN_DELAY))
    except AuthenticationFailed as error:
        refuse(session, error)
    except MaildropError as error:
        session.log_failure("login", error)
        session.connection.live.note("login refused", why=str(error))
        session.write(refusal(error))
    else:
        session.write(ok(b"%d messages" % count))


def refuse(session: Session, error: MaildropError) -> None:
    """Answer a login that failed; too many end the connection."""
    session.write(refusal(error))
    session.refused += 1
    if session.refused >= session.settings.refused:
        session.end("too many logins refused")

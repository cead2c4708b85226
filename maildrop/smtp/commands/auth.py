"""AUTH: the client logs in."""

from twisted.logger import Logger

from maildrop.errors import LimitExceeded, MaildropError, TemporaryError
from maildrop.sasl.dialogue import Dialogue, initial_response
from maildrop.smtp import respond
from maildrop.smtp.session import Authenticator, Session
from maildrop.smtp.wire.reply import reply

_log = Logger()

_ALREADY = reply(503, "You are logged in already", "5.5.1")
_ENCRYPT_FIRST = reply(538, "Passwords only after STARTTLS", "5.7.11")
_WELCOME = reply(235, "Logged in", "2.7.0")
_SYNTAX = reply(501, "Syntax: AUTH mechanism [initial response]", "5.5.4")
_NOT_JUDGED = reply(454, "Logins cannot be checked now", "4.7.0")


async def auth(session: Session, argument: bytes) -> None:
    """AUTH: RFC 4954 section 4."""
    authenticator = session.site.authenticator
    if authenticator is None:
        session.error(respond.NOT_OFFERED)
        return
    if session.account is not None:
        session.error(_ALREADY)
        return
    secure = session.link.peer.secure
    if not authenticator.mechanisms(secure):
        session.error(_ENCRYPT_FIRST)
        return
    mechanism, _, initial = argument.partition(b" ")
    if not mechanism:
        session.error(_SYNTAX)
        return
    try:
        session.dialogue = Dialogue(
            authenticator.exchange(
                mechanism.decode("ascii", "replace"),
                initial_response(initial) if initial else None,
                secure=secure,
            ),
            mechanism.decode("ascii", "replace").upper(),
        )
    except MaildropError as error:
        _refuse(session, error)
        return
    await _go_on(session, authenticator)


async def response(session: Session, line: bytes) -> None:
    """A line that answers a challenge."""
    authenticator = session.site.authenticator
    if authenticator is None or session.dialogue is None:
        session.error(respond.NOT_NOW)
        return
    try:
        session.dialogue.respond(line)
    except MaildropError as error:
        _refuse(session, error)
        return
    await _go_on(session, authenticator)


async def _go_on(session: Session, authenticator: Authenticator) -> None:
    dialogue = session.dialogue
    if dialogue is None:
        return
    step = dialogue.step
    if isinstance(step, bytes):
        session.reader.expect_response()
        session.reply(b"334 %s\r\n" % dialogue.challenge())
        return
    session.dialogue = None
    try:
        session.account = await authenticator.conclude(
            step,
            service=session.site.service.value,
            source=session.link.peer.address,
            note=session.live.noting(dialogue.mechanism),
        )
    except MaildropError as error:
        _refuse(session, error)
        return
    session.live.user = session.account.name
    _log.info(
        "{id}: {user} logged in from {peer}",
        id=session.live.trace,
        user=session.account.name,
        peer=session.link.peer,
    )
    session.reply(_WELCOME)


def _refuse(session: Session, error: MaildropError) -> None:
    session.dialogue = None
    session.log_refusal("login", type(error).__name__)
    if isinstance(error, TemporaryError):
        session.reply(_NOT_JUDGED)
    elif isinstance(error, LimitExceeded):
        session.error(respond.AUTH_TOO_LONG)
    else:
        session.error(bytes(respond.refusal(error)))

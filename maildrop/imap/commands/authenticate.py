"""AUTHENTICATE: log in by SASL."""

from maildrop.errors import MaildropError
from maildrop.imap import respond
from maildrop.imap.entering import enter, refused
from maildrop.imap.session import Session
from maildrop.imap.wire import authenticate as wire
from maildrop.imap.wire.events import SaslResponse
from maildrop.sasl.exchange import Cancelled, Step
from maildrop.sasl.mechanisms import CLEARTEXT


async def authenticate(session: Session, command: wire.Authenticate) -> bytes | None:
    """AUTHENTICATE: RFC 3501 section 6.2.2, RFC 4959 for the initial response."""
    authenticator = session.site.authenticator
    secure = session.link.peer.secure
    if command.mechanism in CLEARTEXT and not authenticator.allows_cleartext(secure):
        raise respond.PasswordsInClear("a password before TLS")
    try:
        session.mechanism = command.mechanism
        session.exchange = authenticator.exchange(
            command.mechanism, command.initial, secure=secure
        )
        return await _go_on(session, session.exchange.step)
    except MaildropError as error:
        refused(session, error)
        return None


async def response(session: Session, event: SaslResponse) -> bytes | None:
    """An answer to a challenge."""
    exchange = session.exchange
    if exchange is None:
        return None
    try:
        if event.octets is None:
            raise Cancelled("cancelled by the client")
        return await _go_on(session, exchange.respond(event.octets))
    except MaildropError as error:
        refused(session, error)
        return None


async def _go_on(session: Session, step: Step) -> bytes | None:
    if isinstance(step, bytes):
        session.reader.expect_response()
        session.write(wire.challenge(step))
        return None
    session.exchange = None
    account = await session.site.authenticator.conclude(
        step,
        service="imap",
        source=session.link.peer.address,
        note=session.live.noting(session.mechanism),
    )
    return await enter(session, account)

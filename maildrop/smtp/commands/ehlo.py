"""EHLO, HELO and LHLO: the client says who it is, the server what it can."""

from maildrop.delivery.filters import Action
from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.service import Service
from maildrop.smtp.session import Session
from maildrop.smtp.wire.hello import client_name
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import State


async def ehlo(session: Session, argument: bytes) -> None:
    """EHLO: RFC 5321 section 4.1.1.1; LHLO: RFC 2033 section 4.1, with its words."""
    if await _greeted(session, argument):
        session.extended = True
        session.reply(
            reply(250, "\n".join([session.site.hostname, *_keywords(session)]))
        )


async def helo(session: Session, argument: bytes) -> None:
    """HELO: RFC 5321 section 4.1.1.1."""
    if await _greeted(session, argument):
        session.extended = False
        session.reply(reply(250, session.site.hostname))


async def _greeted(session: Session, argument: bytes) -> bool:
    try:
        name = client_name(argument)
    except ProtocolSyntaxError:
        session.error(reply(501, "Say who you are: a host name", "5.5.4"))
        return False
    if not await _examined(session, name):
        return False
    session.end_transaction()
    session.client_name = name
    session.state = State.READY
    return True


async def _examined(session: Session, name: str) -> bool:
    """Ask the filters about the connection (the first time) and the name."""
    examination = session.examination
    if examination is None:
        return True
    if not session.examined:
        session.examined = True
        verdict = await examination.connected()
        if verdict.action is Action.REFUSE:
            session.refused_by_filter(verdict, "connection")
            session.link.close()
            return False
    verdict = await examination.hello(name)
    if verdict.action is Action.REFUSE:
        session.refused_by_filter(verdict, "hello")
        return False
    return True


def _keywords(session: Session) -> list[str]:
    """The extensions: RFC 2920, 1870, 6152, 6531, 2034, 3030, 3461, 3207, 4954."""
    site = session.site
    keywords = [
        "PIPELINING",
        f"SIZE {site.limits.message}",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
    ]
    if site.turns is not None:
        keywords.append("ETRN")
    if site.tls is not None and session.link.peer.encryption is None:
        keywords.append("STARTTLS")
    if site.service is Service.SUBMISSION and site.authenticator is not None:
        mechanisms = site.authenticator.mechanisms(session.link.peer.secure)
        if mechanisms:
            keywords.append("AUTH " + " ".join(mechanisms))
    return keywords

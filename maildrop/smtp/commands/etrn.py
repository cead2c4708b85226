"""ETRN: a server that was away asks for its mail."""

from twisted.logger import Logger

from maildrop.errors import MaildropError, ProtocolSyntaxError
from maildrop.smtp import respond
from maildrop.smtp.session import Session
from maildrop.smtp.wire.etrn import etrn as parse
from maildrop.smtp.wire.reply import reply

_log = Logger()

_SYNTAX = reply(501, "Syntax: ETRN [@]domain", "5.5.4")
_NOT_YOURS = reply(459, "That domain may not be asked for", "4.7.1")
_FAILED = reply(458, "The queue cannot be looked through now", "4.3.0")
_NOTHING = reply(251, "OK, no messages waiting", "2.0.0")


async def etrn(session: Session, argument: bytes) -> None:
    """ETRN: RFC 1985 section 5; the mail goes where it goes, not to who asks."""
    turns = session.site.turns
    if turns is None:
        session.error(respond.NOT_OFFERED)
        return
    if not session.extended:
        session.error(respond.NOT_NOW)
        return
    try:
        command = parse(argument)
    except ProtocolSyntaxError:
        session.error(_SYNTAX)
        return
    if not turns.allows(command.domain):
        session.note_refusal(f"ETRN {command.domain}", "not a domain for ETRN")
        session.error(_NOT_YOURS)
        return
    try:
        started = await turns.start(command.domain, below=command.below)
    except MaildropError as error:
        _log.error("ETRN {domain}: {error}", domain=command.domain, error=str(error))
        session.reply(_FAILED)
        return
    _log.info(
        "ETRN {domain} from {peer}: {count} entries",
        domain=command.domain,
        peer=session.link.peer,
        count=started,
    )
    if started:
        session.reply(reply(253, f"OK, {started} pending messages started", "2.0.0"))
    else:
        session.reply(_NOTHING)

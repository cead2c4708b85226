"""MAIL: a transaction begins."""

from maildrop.delivery.filters import Action
from maildrop.errors import (
    MaildropError,
    MessageTooLarge,
    ProtocolSyntaxError,
)
from maildrop.smtp import respond
from maildrop.smtp.service import Service
from maildrop.smtp.session import Session, Transaction
from maildrop.smtp.wire.mail import Mail, mail as parse
from maildrop.smtp.wire.path import Path
from maildrop.smtp.wire.reply import reply

_SYNTAX = reply(501, "Syntax: MAIL FROM:<address>", "5.1.7")
_LOGIN_FIRST = reply(530, "Log in first", "5.7.0")
_NOT_YOURS = reply(553, "That sender address is not yours", "5.7.1")


async def mail(session: Session, argument: bytes) -> None:
    """MAIL: RFC 5321 section 4.1.1.2."""
    if session.site.service is Service.SUBMISSION and session.account is None:
        session.error(_LOGIN_FIRST)
        return
    try:
        command = parse(argument)
        refusal = await _objection(session, command)
    except ProtocolSyntaxError as error:
        general = type(error) is ProtocolSyntaxError
        found = respond.refusal(error)
        refusal = _SYNTAX if general else bytes(found)
    except MaildropError as error:
        session.refuse(error, what="sender")
        return
    if refusal:
        session.error(refusal)
        return
    transaction = Transaction(
        session.site.trace_ids.next(), command.sender, command.smtputf8
    )
    transaction.size = command.size
    transaction.ret = command.ret.decode()
    transaction.envelope_id = command.envelope_id.decode()
    if session.examination is not None:
        verdict = await session.examination.sender(command.sender)
        if verdict.action is Action.REFUSE:
            session.refused_by_filter(verdict, f"sender {command.sender}")
            session.examination.abort()
            return
        transaction.fields += verdict.fields
    session.begin(transaction)
    session.reply(respond.OK)


async def _objection(session: Session, command: Mail) -> bytes:
    """The reply to a command that is well written but wrong; nothing if it is right.

    Raises:
        MessageTooLarge: The announced size is over the limit.
        TemporaryError: The users cannot be read.
    """
    if command.size > session.site.limits.message:
        raise MessageTooLarge(f"{command.size} octets announced")
    if session.site.service is Service.SUBMISSION:
        if await _may_use(session, command.sender):
            return b""
        session.note_refusal(
            f"sender {command.sender}",
            "not the login's address",
            sender=command.sender,
            user=session.live.user,
        )
        return _NOT_YOURS
    return b""


async def _may_use(session: Session, sender: Path | None) -> bool:
    """RFC 6409 section 6.1: whether the address delivers to who logged in.

    The null sender is everybody's: a client sends read receipts with it (RFC 8098
    section 3).

    Raises:
        TemporaryError: The users cannot be read.
    """
    if sender is None:
        return True
    account = session.account
    return account is not None and await session.site.router.belongs(sender, account)

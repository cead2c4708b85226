"""RCPT: one more recipient.

Security: who logged in, and nobody else, may send to other domains; what comes from
others is for us, or is sent on because a file of ours says so.
"""

from dataclasses import replace

from maildrop.delivery.actions import Recipient, shown
from maildrop.delivery.filters import Action
from maildrop.errors import MaildropError, OverQuota, ProtocolSyntaxError
from maildrop.smtp import respond
from maildrop.smtp.session import Session
from maildrop.smtp.wire.rcpt import rcpt as parse
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import State

_SYNTAX = reply(501, "Syntax: RCPT TO:<address>", "5.1.3")
#: RFC 5321 section 4.5.3.1.10.
_TOO_MANY = reply(452, "Too many recipients, send to the rest separately", "4.5.3")
_ACCEPTED = reply(250, "OK", "2.1.5")


async def rcpt(session: Session, argument: bytes) -> None:
    """RCPT: RFC 5321 section 4.1.1.3."""
    transaction = session.transaction
    if transaction is None:
        session.error(respond.NO_SENDER)
        return
    try:
        command = parse(argument, smtputf8=transaction.smtputf8)
    except ProtocolSyntaxError as error:
        refusal = respond.refusal(error)
        general = type(error) is ProtocolSyntaxError
        session.error(_SYNTAX if general else bytes(refusal))
        return
    if len(transaction.recipients) >= session.site.limits.recipients:
        session.reply(_TOO_MANY)
        return
    what = f"recipient {command.recipient}"
    try:
        recipient = await session.site.router.route(
            command.recipient,
            sender=transaction.sender,
            outward=session.account is not None,
        )
        await _admit(session, recipient, transaction.size)
    except MaildropError as error:
        refusal = session.refusal(error)
        session.note_refusal(
            what,
            str(error),
            recipient=command.recipient,
            sender=transaction.sender,
            client=session.link.peer.address,
            answer=str(refusal),
        )
        session.refused_recipient(bytes(refusal))
        return
    if session.examination is not None:
        verdict = await session.examination.recipient(command.recipient)
        if verdict.action is Action.REFUSE:
            session.refused_by_filter(verdict, what)
            return
        transaction.fields += verdict.fields
    session.note(
        "recipient",
        recipient=recipient.path,
        to=[shown(each) for each in recipient.actions],
        why=[reason for each in recipient.actions for reason in each.why],
    )
    if command.notify or command.original:
        notify = tuple(sorted(each.decode() for each in command.notify))
        recipient = replace(recipient, original=command.original, notify=notify)
    transaction.recipients.append(recipient)
    session.state = State.RCPT
    session.reply(_ACCEPTED)


async def _admit(session: Session, recipient: Recipient, octets: int) -> None:
    """See whether there is room for the message, as far as its size is known.

    Raises:
        OverQuota: There is none; any other trouble is the delivery's.
    """
    try:
        await session.site.agent.admit(recipient, octets)
    except OverQuota:
        raise
    except MaildropError as error:
        session.note_refusal(f"to look for room for {recipient.path}", str(error))

"""The content of a message: taken from DATA or BDAT, given to the agent, answered.

In this file:
    begin     room for the content is made
    piece     some octets came
    finish    all came: filter, deliver, answer

RFC 5321 section 4.2.5: a positive reply takes over the responsibility for the message,
so it is given when every copy is on disk, and what else is to be done is in the queue.
SMTP has one reply for all recipients, LMTP one for each (RFC 2033 section 4.2);
``delivery.agent`` has what they mean.
RFC 6409 section 8: submission adds Date and Message-ID where they are missing.
"""

import re
from collections.abc import Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.delivery.agent import Envelope, header_of
from maildrop.delivery.date_time import date_time
from maildrop.delivery.filters import Action
from maildrop.delivery.outcome import Outcome
from maildrop.delivery.received import Trace, message_id, protocol
from maildrop.durable import Content
from maildrop.errors import MaildropError, MessageTooLarge, TemporaryError
from maildrop.queue.entry import Options
from maildrop.smtp import respond
from maildrop.smtp.service import Service
from maildrop.smtp.session import Session, Transaction
from maildrop.smtp.wire.reply import reply

_log = Logger()

_DATE: Final = re.compile(rb"(?:^|\n)[Dd][Aa][Tt][Ee][ \t]*:")
_MESSAGE_ID: Final = re.compile(
    rb"(?:^|\n)[Mm][Ee][Ss][Ss][Aa][Gg][Ee]-[Ii][Dd][ \t]*:"
)
#: Octets of a header that are searched for Date and Message-ID.
_HEADER_MAX: Final = 1 << 18


def begin(session: Session, transaction: Transaction) -> Content:
    """Make room for the content, if that was not done before."""
    if transaction.content is None:
        transaction.content = Content(session.site.scratch)
    return transaction.content


def piece(session: Session, octets: bytes) -> None:
    """Some octets came; after a failure they are swallowed."""
    transaction = session.transaction
    if transaction is None or transaction.failure is not None:
        return
    content = begin(session, transaction)
    try:
        content.write(octets)
    except MaildropError as error:
        _log.warn("{id}: receiving failed: {error}", id=transaction.id, error=error)
        transaction.failure = error
        content.close()


async def finish(session: Session, exceeded: bool) -> None:
    """All came: filter, deliver, answer."""
    session.link.allow_silence(None)
    transaction = session.transaction
    if transaction is None:
        session.error(respond.NO_SENDER)
        return
    if exceeded:
        transaction.failure = MessageTooLarge("the message is over the size limit")
    try:
        outcomes = await _decide(session, transaction)
    except Exception:
        _log.failure("{id}: taking the message failed", id=transaction.id)
        outcomes = _all(transaction, TemporaryError("server bug, see the log"))
    try:
        _answer(session, transaction, outcomes)
    finally:
        session.end_transaction(taken=True)


def _all(transaction: Transaction, error: MaildropError | None) -> list[Outcome]:
    return [Outcome(error)] * len(transaction.recipients)


async def _decide(
    session: Session, transaction: Transaction
) -> Sequence[Outcome] | respond.Refusal:
    """What becomes of the message: an outcome for each recipient, or a refusal."""
    if transaction.failure is not None:
        session.note_refusal("message", str(transaction.failure))
        return _all(transaction, transaction.failure)
    content = begin(session, transaction)
    _log.info(
        "{id}: {octets} octets from <{sender}> by {user} at {peer}"
        if session.account is not None
        else "{id}: {octets} octets from <{sender}> by {peer}",
        id=transaction.id,
        octets=content.size,
        sender=transaction.sender or "",
        peer=session.link.peer,
        user=session.live.user,
    )
    session.note(
        "message",
        sender=transaction.sender or "<>",
        size=content.size,
        message_id=message_id(content.octets()),
        client=session.link.peer.address,
        greeting=session.client_name,
        user=session.live.user,
        tls="" if (tls := session.link.peer.encryption) is None else tls.version,
        service=session.site.service.value,
    )
    if session.examination is not None:
        verdict = await session.examination.content(transaction.id, content)
        if verdict.action is Action.REFUSE:
            refusal = respond.Refusal(verdict.code, verdict.enhanced, verdict.text)
            session.note_refusal("message", "a filter refused it", answer=str(refusal))
            return refusal
        if verdict.action is Action.DISCARD:
            _log.info("{id}: discarded by a filter", id=transaction.id)
            session.note("discarded", why="a filter wants it so")
            return _all(transaction, None)
        transaction.fields += verdict.fields
    return await session.site.agent.deliver(
        Envelope(
            transaction.sender,
            _trace(session, transaction),
            _fields(session, transaction, content),
            Options(
                smtputf8=transaction.smtputf8,
                ret=transaction.ret,
                envelope_id=transaction.envelope_id,
            ),
        ),
        content,
        transaction.recipients,
        together=not session.lmtp,
    )


def _trace(session: Session, transaction: Transaction) -> Trace:
    site, peer = session.site, session.link.peer
    encryption = peer.encryption
    return Trace(
        id=transaction.id,
        client_name=session.client_name,
        client_address=peer.address,
        protocol=protocol(
            lmtp=session.lmtp,
            extended=session.extended,
            encrypted=encryption is not None,
            authenticated=session.account is not None,
            utf8=transaction.smtputf8,
        ),
        encryption=f"{encryption.version} with cipher {encryption.cipher}"
        if encryption is not None and encryption.version
        else "",
        hostname=site.hostname,
        seconds=site.now(),
    )


def _fields(session: Session, transaction: Transaction, content: Content) -> bytes:
    """Header fields to add: what filters want, what a submitted message lacks."""
    fields = list(transaction.fields)
    if session.site.service is Service.SUBMISSION:
        header = header_of(content.octets(), _HEADER_MAX)
        if not _DATE.search(header):
            fields.append(("Date", date_time(session.site.now())))
        if not _MESSAGE_ID.search(header):
            fields.append(("Message-ID", f"<{transaction.id}@{session.site.hostname}>"))
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode()


def _answer(
    session: Session,
    transaction: Transaction,
    outcomes: Sequence[Outcome] | respond.Refusal,
) -> None:
    stored = reply(250, f"Stored, id {_id(transaction, outcomes)}", "2.0.0")
    if isinstance(outcomes, respond.Refusal):
        replies = [bytes(outcomes)] * (
            len(transaction.recipients) if session.lmtp else 1
        )
    elif session.lmtp:
        replies = [
            stored if outcome.error is None else bytes(session.refusal(outcome.error))
            for outcome in outcomes
        ]
    else:
        refusals = [
            session.refusal(outcome.error)
            for outcome in outcomes
            if outcome.error is not None
        ]
        replies = [bytes(refusals[0]) if refusals else stored]
    session.reply(b"".join(replies))


def _id(transaction: Transaction, outcomes: Sequence[Outcome] | respond.Refusal) -> str:
    """The id that the message goes on with."""
    if isinstance(outcomes, respond.Refusal):
        return transaction.id
    return next((each.id for each in outcomes if each.id), transaction.id)

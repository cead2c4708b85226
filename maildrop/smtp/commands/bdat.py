"""BDAT: the message itself, in chunks of announced size."""

from collections.abc import Coroutine
from typing import Any

from maildrop.errors import MessageTooLarge, ProtocolSyntaxError
from maildrop.smtp import content, respond
from maildrop.smtp.session import Session
from maildrop.smtp.wire.bdat import bdat as parse
from maildrop.smtp.wire.reply import reply
from maildrop.smtp.wire.states import State

_UNREADABLE = reply(501, "Syntax: BDAT octets [LAST]; closing", "5.5.4")


def bdat(session: Session, argument: bytes) -> None:
    """BDAT: RFC 3030 section 2.

    A chunk is swallowed whatever is wrong with the command, so that none of it is
    taken for a command; one whose size cannot be read ends the connection.
    """
    try:
        command = parse(argument)
    except ProtocolSyntaxError:
        session.close(_UNREADABLE)
        return
    session.link.allow_silence(session.site.limits.content_idle)
    transaction = session.transaction
    if transaction is None or session.state not in {State.RCPT, State.CHUNKS}:
        session.ended = _out_of_order
        session.reader.expect_chunk(command.octets, -1)
        return
    session.state = State.CHUNKS
    received = content.begin(session, transaction).size
    session.ended = content.finish if command.last else _chunk_ended
    room = session.site.limits.message - received
    session.reader.expect_chunk(command.octets, room)


def _chunk_ended(session: Session, exceeded: bool) -> None:
    """More is to come, unless it cannot be taken: RFC 3030 section 4.2."""
    session.link.allow_silence(None)
    transaction = session.transaction
    if transaction is None:
        session.error(respond.NO_SENDER)
        return
    if exceeded:
        transaction.failure = MessageTooLarge("the message is over the size limit")
    if transaction.failure is not None:
        session.refuse(transaction.failure, what="message")
        session.end_transaction()
        return
    session.reply(respond.OK)


def _out_of_order(session: Session, exceeded: bool) -> Coroutine[Any, Any, None] | None:
    """The chunk is gone; its command was wrong."""
    del exceeded
    session.link.allow_silence(None)
    session.error(respond.NO_RECIPIENT)
    return None

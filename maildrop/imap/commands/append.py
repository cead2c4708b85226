"""APPEND: put a message into a mailbox.

The message goes to a ``durable.Content`` as it comes, so that a large one is not held
in memory, and its mailbox is opened first, so that nobody sends one in vain.

Tolerated: lines that end in LF alone, which become CRLF (RFC 3501 section 6.3.11 wants
a message as RFC 2822 has it).

Limits: ``IMAPLimits.message``; RFC 4469's TOOBIG says so before the message is sent.
"""

import re
from typing import Final

from maildrop.durable import Content
from maildrop.errors import (
    AccessDenied,
    MailboxVanished,
    MaildropError,
    MessageTooLarge,
)
from maildrop.imap import respond
from maildrop.imap.commands.copy import target_of, to_target
from maildrop.imap.session import Appending, Session
from maildrop.imap.wire import append as wire, responses
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.quota import Counted

_BARE_LF: Final = re.compile(rb"(?<!\r)\n").sub


async def append(session: Session, command: wire.Append) -> None:
    """APPEND: RFC 3501 section 6.3.11; the message follows."""
    try:
        mailbox = await _opened(session, command)
    except BaseException:
        session.reader.refuse_literal()
        raise
    session.appending = Appending(command, mailbox, Content(session.site.scratch))
    session.reader.accept_literal()
    if command.message.synchronizing:
        session.write(responses.continuation(b"Ready for the message"))


async def _opened(session: Session, command: wire.Append) -> Mailbox:
    if command.message.size > session.site.limits.message:
        raise MessageTooLarge("a message over the limit")
    if not command.message.size:
        raise respond.EmptyMessage("a message without octets")
    await session.mail.room(command.message.size, Counted.LIMITED)
    mailbox = await target_of(session, command.mailbox)
    if mailbox.read_only:
        await mailbox.leave()
        raise AccessDenied("APPEND to a read-only mailbox")
    return mailbox


def piece(session: Session, octets: bytes) -> MaildropError | None:
    """Octets of the message; gives an error when they cannot be kept."""
    appending = session.appending
    if appending is None:
        return None
    try:
        appending.content.write(_with_crlf(octets, after_cr=appending.ends_in_cr))
    except MaildropError as error:
        session.reader.refuse_literal()
        return error
    appending.ends_in_cr = octets.endswith(b"\r")
    return None


def _with_crlf(octets: bytes, *, after_cr: bool) -> bytes:
    """Octets whose line ends are CRLF; what came before may have ended in CR."""
    if octets.count(b"\n") == octets.count(b"\r\n"):
        return octets
    if after_cr and octets.startswith(b"\n"):
        return b"\n" + _BARE_LF(b"\r\n", octets[1:])
    return _BARE_LF(b"\r\n", octets)


async def end(session: Session) -> bytes | None:
    """The message is complete: store it; APPENDUID: RFC 4315 section 3."""
    appending, session.appending = session.appending, None
    if appending is None:
        return None
    said = appending.command.message
    message = NewMessage(appending.content, b"", said.flags, said.keywords, said.date)
    try:
        try:
            code = await _added(appending.mailbox, message)
        except MailboxVanished:  # while the message came, or just before
            code = await to_target(
                session,
                appending.command.mailbox,
                lambda mailbox: _added(mailbox, message),
            )
    finally:
        appending.content.close()
        await appending.mailbox.leave()
    session.counts.appended += 1
    return responses.ok(appending.command.tag, b"Append completed", code)


async def _added(mailbox: Mailbox, message: NewMessage) -> bytes:
    """Add a message; gives its APPENDUID."""
    uids = await mailbox.append([message])
    return responses.append_uid(mailbox.table.uid_validity, uids)

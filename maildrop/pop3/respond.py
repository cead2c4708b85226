"""Errors to POP3 replies: the one place where they become words.

In this file:
    refusal      the reply to a login that failed
    failure      the reply to anything else that failed

The codes, RFC 3206: ``[AUTH]`` lets a client ask for the password again, ``[SYS/TEMP]``
lets it try again later with the same one, ``[SYS/PERM]`` is for people.
"""

from maildrop.errors import (
    AccountDisabled,
    AuthenticationFailed,
    MailboxInUse,
    MaildropError,
    MessageExpunged,
    NoSpace,
    TemporaryError,
)
from maildrop.pop3.snapshot import NoSuchMessage
from maildrop.pop3.wire.replies import Code, err


def refusal(error: MaildropError) -> bytes:
    """The reply to USER and PASS, or AUTH, that ended in ``error``."""
    if isinstance(error, AccountDisabled):
        return err(b"This account may not be used here", Code.AUTH)
    if isinstance(error, AuthenticationFailed):
        return err(b"Wrong user name or password", Code.AUTH)
    return failure(error)


def failure(error: MaildropError) -> bytes:
    """The reply to a command that ended in ``error``."""
    if isinstance(error, NoSuchMessage):
        return err(b"No such message")
    if isinstance(error, MessageExpunged):
        return err(b"Message was removed by another program")
    if isinstance(error, MailboxInUse):
        return err(b"Maildrop is in use by another session", Code.IN_USE)
    if isinstance(error, NoSpace):
        return err(b"No space left on the server", Code.SYS_TEMP)
    if isinstance(error, TemporaryError):
        return err(b"Try again later", Code.SYS_TEMP)
    return err(b"Not possible; ask the administrator", Code.SYS_PERM)

"""What can go wrong, said once for all layers.

In this file:
    MaildropError          the root
    TemporaryError         trying again later may help
    PermanentError         trying again will not help
    ProtocolSyntaxError    octets that no grammar rule allows
    by_class               what stands for an error in a table of classes
    of_system              what the system said, and of which file

Each class stands for something that a caller treats differently.  The text of an
exception is for the log and the admin; what a client reads is written by the
``respond`` module of its protocol, from the class alone.
"""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class MaildropError(Exception):
    """The root of every error that maildrop raises on purpose."""


class TemporaryError(MaildropError):
    """It failed now; the same request may succeed later."""


class PermanentError(MaildropError):
    """It failed and will fail again until something is changed."""


class ProtocolSyntaxError(PermanentError):
    """Octets from a peer that the grammar does not allow.

    Attributes:
        offset: Where in the command, in octets from its start.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason)
        self.offset = offset


class LimitExceeded(PermanentError):
    """Input larger or deeper than a limit allows."""


class NoSpace(TemporaryError):
    """The disk or the file system's quota is full (ENOSPC, EDQUOT)."""


class StorageFailure(TemporaryError):
    """The disk, or a file that should be there, failed (EIO and kin)."""


class AccessDenied(PermanentError):
    """The account may not do that: file permissions, read-only mailbox."""


class MailboxInUse(TemporaryError):
    """Another session or program holds a lock that is needed."""


class MailboxNotFound(PermanentError):
    """No mailbox has that name."""


class MailboxExists(PermanentError):
    """A mailbox already has that name."""


class MailboxNameInvalid(PermanentError):
    """A name that no mailbox may have (``..``, NUL, too long ...)."""


class MailboxNotSelectable(PermanentError):
    r"""The name is a level of the hierarchy that holds no messages (\Noselect)."""


class MailboxNotRemovable(PermanentError):
    """The mailbox must stay: INBOX, or one that has children."""


class MailboxVanished(TemporaryError):
    """An open mailbox was deleted, or renumbered, under its sessions."""


class MessageExpunged(PermanentError):
    """The message is no longer there; another session removed it."""


class KeywordLimit(PermanentError):
    """The mailbox can hold no further keyword."""


class OverQuota(PermanentError):
    """The account has no room for the message."""


class MessageTooLarge(LimitExceeded):
    """The message is over the size limit."""


class AuthenticationFailed(PermanentError):
    """Wrong credentials; never says which part was wrong."""


class AccountDisabled(AuthenticationFailed):
    """The account exists and may not use this service."""


class ConfigurationError(PermanentError):
    """The configuration cannot be used; the text names file, line and key."""


class NoSuchUser(PermanentError):
    """The domain is ours and the address is nobody's (RFC 3463: 5.1.1)."""


class RelayDenied(PermanentError):
    """The domain is not ours, and mail for it is not taken here."""


class MailLoop(PermanentError):
    """The message was here before, or has travelled too far (RFC 5321 section 6.3)."""


def by_class(table: Mapping[type[BaseException], T], error: MaildropError) -> T:
    """What stands for an error: at its class, or at the next class above it.

    Args:
        table: By class; has at least ``TemporaryError``, which is for all others.
        error: The error.
    """
    for kind in type(error).__mro__:
        found = table.get(kind)
        if found is not None:
            return found
    return table[TemporaryError]


def of_system(error: OSError) -> str:
    """What the system said, and of which file, if it was one."""
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else text

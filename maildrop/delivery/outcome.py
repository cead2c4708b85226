"""What became of a message for one recipient, and what an error means for it.

In this file:
    Outcome      what became of it
    status_of    the status that stands for an error (RFC 3463, RFC 5248)
    is_final     whether there is no sense in trying again
"""

from dataclasses import dataclass
from typing import Final

from maildrop.errors import (
    MailboxInUse,
    MaildropError,
    MailLoop,
    MessageTooLarge,
    NoSpace,
    NoSuchUser,
    OverQuota,
    PermanentError,
    RelayDenied,
    TemporaryError,
    by_class,
)
from maildrop.queue.entry import Status

#: The class of an error, or the next class above it that stands here, decides.
_STATUS: Final[dict[type[BaseException], Status]] = {
    NoSuchUser: Status("5.1.1", "no such user here"),
    RelayDenied: Status("5.7.1", "not a domain of this server"),
    MailLoop: Status("5.4.6", "the message is in a loop"),
    MessageTooLarge: Status("5.3.4", "the message is too large"),
    OverQuota: Status("5.2.2", "the mailbox is full"),
    NoSpace: Status("4.3.1", "no space left"),
    MailboxInUse: Status("4.2.0", "the mailbox is busy"),
    TemporaryError: Status("4.3.0", "something failed here"),
    # What else is permanent an administrator has to mend: meanwhile the mail waits.
    PermanentError: Status("4.3.5", "the mailbox cannot be used now"),
}
#: RFC 3463 section 3.3: X.2.2, mailbox full.
_FULL: Final = Status("4.2.2", "the mailbox is full")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message for one recipient.

    Attributes:
        error: Why it was not taken; None when it was, and is on disk.
        folder: Where it is stored, empty if in no mailbox.
        uid: Its UID there.
        id: The id that it goes on with, empty if that is still the same.
    """

    error: MaildropError | None = None
    folder: str = ""
    uid: int = 0
    id: str = ""


def status_of(error: MaildropError, *, defer_full: bool = False) -> Status:
    """The status that stands for an error; the text tells nothing of our insides.

    Args:
        error: What went wrong.
        defer_full: Mail for a full mailbox is to be tried again.
    """
    if defer_full and isinstance(error, OverQuota):
        return _FULL
    return by_class(_STATUS, error)


def is_final(status: Status) -> bool:
    """Whether there is no sense in trying again."""
    return status.code.startswith("5")

"""Replies for what went wrong; the one place that knows their codes and words.

In this file:
    Refusal     code, enhanced code and text of a reply
    refusal     the one for an error
    protocol replies as constants

Codes: RFC 5321 section 4.2, RFC 3463, RFC 5248 (registry of enhanced codes), RFC 4954
section 6, RFC 6531 section 3.5.  The text says nothing that the client did not say
itself, but what the class of the error tells.
"""

from typing import Final, NamedTuple

from maildrop.errors import (
    AccountDisabled,
    AuthenticationFailed,
    MailboxInUse,
    MaildropError,
    MailLoop,
    MessageTooLarge,
    NoSpace,
    NoSuchUser,
    OverQuota,
    PermanentError,
    ProtocolSyntaxError,
    RelayDenied,
    StorageFailure,
    TemporaryError,
    by_class,
)
from maildrop.sasl.exchange import Cancelled
from maildrop.sasl.mechanisms import UnknownMechanism
from maildrop.smtp.wire.parameters import BadParameter, UnknownParameter
from maildrop.smtp.wire.path import Utf8NotAllowed
from maildrop.smtp.wire.reply import reply


class Refusal(NamedTuple):
    """A reply that says no."""

    code: int
    enhanced: str
    text: str

    @property
    def temporary(self) -> bool:
        """The client shall try again."""
        return self.code < 500

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"

    def __bytes__(self) -> bytes:
        return reply(self.code, self.text, self.enhanced)


#: The class of an error, or the next class above it that stands here, decides.
_REFUSALS: Final[dict[type[BaseException], Refusal]] = {
    NoSuchUser: Refusal(550, "5.1.1", "No such user here"),
    RelayDenied: Refusal(550, "5.7.1", "Not a domain of this server; no relaying"),
    MailLoop: Refusal(554, "5.4.6", "The message is in a loop"),
    MessageTooLarge: Refusal(552, "5.3.4", "The message is too large"),
    OverQuota: Refusal(552, "5.2.2", "The mailbox is full"),
    NoSpace: Refusal(452, "4.3.1", "No space left, try again later"),
    MailboxInUse: Refusal(450, "4.2.0", "The mailbox is busy, try again later"),
    StorageFailure: Refusal(451, "4.3.0", "Storage failed, try again later"),
    TemporaryError: Refusal(451, "4.3.0", "Something failed here, try again later"),
    # What else is permanent an administrator has to mend (permissions, a location that
    # is wrong): the sender keeps the mail meanwhile.
    PermanentError: Refusal(451, "4.3.5", "The mailbox cannot be used now"),
    BadParameter: Refusal(501, "5.5.4", "A parameter is malformed"),
    UnknownParameter: Refusal(555, "5.5.4", "That parameter is not known here"),
    Utf8NotAllowed: Refusal(553, "5.6.7", "A UTF-8 address needs SMTPUTF8"),
    ProtocolSyntaxError: Refusal(501, "5.5.4", "The argument is malformed"),
    AuthenticationFailed: Refusal(535, "5.7.8", "Wrong name or password"),
    AccountDisabled: Refusal(525, "5.7.13", "The account may not do that"),
    UnknownMechanism: Refusal(504, "5.5.4", "That mechanism is not offered"),
    Cancelled: Refusal(501, "5.7.0", "Authentication cancelled"),
}

#: RFC 3463 section 3.3: X.2.2, mailbox full.
_FULL: Final = Refusal(452, "4.2.2", "The mailbox is full, try again later")


def refusal(error: MaildropError, *, defer_full: bool = False) -> Refusal:
    """The reply for an error.

    Args:
        error: What went wrong.
        defer_full: Mail for a full mailbox is to be tried again.
    """
    if defer_full and isinstance(error, OverQuota):
        return _FULL
    return by_class(_REFUSALS, error)


OK: Final = reply(250, "OK", "2.0.0")
START_CONTENT: Final = reply(354, "Send the message, end with <CRLF>.<CRLF>")
BYE: Final = reply(221, "Bye", "2.0.0")
NOT_KNOWN: Final = reply(500, "That command is not known here", "5.5.1")
NOT_NOW: Final = reply(503, "That command is out of order", "5.5.1")
HELLO_FIRST: Final = reply(503, "Say hello first", "5.5.1")
NO_SENDER: Final = reply(503, "MAIL comes first", "5.5.1")
NO_RECIPIENT: Final = reply(503, "RCPT comes first: nobody was accepted yet", "5.5.1")
NOT_OFFERED: Final = reply(502, "That command is not offered here", "5.5.1")
NO_ARGUMENT: Final = reply(501, "That command has no argument", "5.5.4")
#: RFC 4954 section 6.
AUTH_TOO_LONG: Final = reply(500, "The line is too long", "5.5.6")
TOO_LONG: Final = reply(500, "The line is too long", "5.5.2")
BAD_LINE_END: Final = reply(
    500, "A line ends in CRLF and holds no CR, LF, NUL", "5.5.2"
)
LF_CONNECTION: Final = reply(
    554, "Your lines end in LF alone; a message needs CRLF", "5.5.2"
)
TOO_MANY_ERRORS: Final = reply(421, "Too many errors, closing", "4.7.0")
TOO_MANY_COMMANDS: Final = reply(421, "Too many commands, connect again", "4.7.0")
TOO_MUCH: Final = reply(421, "Far over every limit, closing", "4.7.0")
IDLE: Final = reply(421, "Nothing heard for too long, closing", "4.4.2")
GOING: Final = reply(421, "Closed by the administrator", "4.3.2")
BUG: Final = bytes(_REFUSALS[TemporaryError])
NOT_SMTP: Final = reply(421, "This is no web server", "4.7.0")

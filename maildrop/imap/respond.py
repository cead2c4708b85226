"""Answers to what went wrong: the one place that knows their codes and words.

In this file:
    said        what a BYE says
    refusal      the tagged answer for an error
    answer       what it says
    broken       the tagged answer when the server has a bug
    errors of this layer, and the texts of BYE

Codes: RFC 3501 section 7.1, RFC 5530, RFC 4469 (TOOBIG).  The text says nothing but
what the class of the error tells, and where in the command a syntax error is.
"""

from typing import Final, NamedTuple

from maildrop import errors
from maildrop.imap.wire import responses
from maildrop.imap.wire.arguments import UnknownCommand
from maildrop.imap.wire.search import CHARSETS, BadCharset
from maildrop.sasl.exchange import Cancelled
from maildrop.sasl.mechanisms import UnknownMechanism


class WrongState(errors.PermanentError):
    """The command is not possible now."""


class NotSelected(WrongState):
    """The command needs a selected mailbox."""


class NotAuthenticated(WrongState):
    """The command needs a login."""


class NoSuchMessage(errors.PermanentError):
    """A sequence number larger than there are messages."""


class UnknownParameter(errors.PermanentError):
    """A parameter of a command that is not known."""


class TryCreate(errors.PermanentError):
    """The target of COPY, MOVE or APPEND is missing, and the client could make it."""


class EmptyMessage(errors.PermanentError):
    """APPEND of a message without octets."""


class UnknownUse(errors.PermanentError):
    """CREATE with a special use that is not known (RFC 6154 section 3)."""


class PasswordsInClear(errors.PermanentError):
    """No password is taken before TLS."""


class Answer(NamedTuple):
    """What to say of an error.

    Attributes:
        bad: BAD, the client's mistake; else NO.
        code: Of the response, may be empty.
        text: Of the response.
    """

    bad: bool
    code: bytes
    text: bytes


def _no(code: bytes, text: bytes) -> Answer:
    return Answer(False, code, text)


def _bad(text: bytes) -> Answer:
    return Answer(True, b"", text)


#: The class of an error, or the next class above it that stands here, decides.
_ANSWERS: Final[dict[type[BaseException], Answer]] = {
    errors.MailboxNotFound: _no(b"NONEXISTENT", b"No such mailbox"),
    errors.MailboxExists: _no(b"ALREADYEXISTS", b"The mailbox exists already"),
    errors.MailboxNameInvalid: _no(b"CANNOT", b"No mailbox can have that name"),
    errors.MailboxNotSelectable: _no(
        b"NONEXISTENT", b"Only a level of the hierarchy, it holds no messages"
    ),
    errors.MailboxNotRemovable: _no(b"CANNOT", b"That mailbox cannot be removed"),
    errors.MailboxInUse: _no(b"INUSE", b"The mailbox is busy, try again later"),
    errors.MailboxVanished: _no(
        b"UNAVAILABLE", b"The mailbox was changed by someone else, try again"
    ),
    errors.MessageExpunged: _no(
        b"EXPUNGEISSUED", b"Some of the messages no longer exist"
    ),
    errors.AccessDenied: _no(b"NOPERM", b"No permission to do that"),
    errors.OverQuota: _no(b"OVERQUOTA", b"Over quota"),
    errors.KeywordLimit: _no(b"LIMIT", b"The mailbox can have no further keyword"),
    errors.MessageTooLarge: _no(b"TOOBIG", b"The message is too large"),
    errors.NoSpace: _no(b"UNAVAILABLE", b"No space left, try again later"),
    errors.StorageFailure: _no(b"UNAVAILABLE", b"Storage failed, try again later"),
    errors.TemporaryError: _no(b"UNAVAILABLE", b"Something failed, try again later"),
    errors.PermanentError: _no(b"CANNOT", b"That cannot be done"),
    errors.AuthenticationFailed: _no(
        b"AUTHENTICATIONFAILED", b"Wrong name or password"
    ),
    errors.AccountDisabled: _no(
        b"AUTHORIZATIONFAILED", b"The account may not log in here"
    ),
    PasswordsInClear: _no(b"PRIVACYREQUIRED", b"No passwords before STARTTLS"),
    UnknownMechanism: _no(b"CANNOT", b"That mechanism is not offered"),
    TryCreate: _no(b"TRYCREATE", b"No such mailbox"),
    EmptyMessage: _no(b"CANNOT", b"A message has at least one octet"),
    UnknownUse: _no(b"USEATTR", b"That use is not known"),
    errors.LimitExceeded: _bad(b"Over a limit of this server"),
    errors.ProtocolSyntaxError: _bad(b"Syntax error"),
    UnknownCommand: _bad(b"Unknown command"),
    Cancelled: _bad(b"Cancelled"),
    WrongState: _bad(b"Not possible now"),
    NotSelected: _bad(b"No mailbox is selected"),
    NotAuthenticated: _bad(b"Log in first"),
    NoSuchMessage: _bad(b"There are not that many messages"),
    UnknownParameter: _bad(b"Unknown parameter"),
}


def answer(error: errors.MaildropError) -> Answer:
    """What to say of an error."""
    if isinstance(error, BadCharset):
        return _no(responses.bad_charset(sorted(CHARSETS)), b"Unknown charset")
    found = errors.by_class(_ANSWERS, error)
    if isinstance(error, errors.ProtocolSyntaxError) and error.offset:
        return found._replace(text=b"Syntax error at octet %d" % error.offset)
    return found


def refusal(tag: bytes | None, error: errors.MaildropError) -> bytes:
    """The answer for an error; untagged when the tag could not be read (None)."""
    said = answer(error)
    if said.bad:
        return responses.bad(tag, said.text, said.code)
    return responses.no(tag or responses.UNTAGGED, said.text, said.code)


def broken(tag: bytes) -> bytes:
    """The answer when the server has a bug."""
    return responses.no(tag, b"Internal error, it was logged", b"SERVERBUG")


TOO_MANY_BAD: Final = responses.bye(b"Too many bad commands")
TOO_MANY_LOGINS: Final = responses.bye(b"Too many failed logins")
NO_LOGIN: Final = responses.bye(b"Nobody logged in for too long")
IDLE: Final = responses.bye(b"Nothing heard for too long")
KICKED: Final = responses.bye(b"Closed by the administrator")
GONE: Final = responses.bye(
    b"The selected mailbox was deleted or replaced by someone else"
)
BROKEN: Final = responses.bye(b"Internal error, it was logged", b"SERVERBUG")
INJECTED: Final = responses.bye(b"Octets in clear behind STARTTLS")
LOGOUT: Final = responses.bye(b"Logging out")


def said(bye: bytes) -> str:
    """What a BYE says, for the log."""
    return bye.partition(b"\r\n")[0].removeprefix(b"* BYE ").decode("ascii", "replace")

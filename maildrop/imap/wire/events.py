"""What the reader tells besides commands.

In this file:
    NeedContinuation    a literal was announced and the client waits for "+"
    LiteralChunk        octets of the message that APPEND brings
    AppendEnd           the message and its command are complete
    SaslResponse        an answer to a challenge of AUTHENTICATE
    Done                IDLE has ended
    BadCommand          something that is no command
"""

from dataclasses import dataclass, field

from maildrop.errors import MaildropError


@dataclass(frozen=True, slots=True)
class NeedContinuation:
    """A synchronizing literal within the limits (RFC 3501 section 4.3).

    Write ``+`` and call ``CommandReader.accept_literal``; or answer the tag with NO or
    BAD and call ``CommandReader.refuse_literal``.
    """

    tag: bytes
    size: int


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """The next octets of the message, after ``Append`` was accepted; never empty."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class AppendEnd:
    """All of the message was sent, and nothing that should not be came after it."""

    tag: bytes


@dataclass(frozen=True, slots=True)
class SaslResponse:
    """A line after a challenge (RFC 3501 section 6.2.2).

    Attributes:
        octets: What the client answers, decoded; None when it cancels with "*".
    """

    octets: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The client said DONE (RFC 2177)."""


@dataclass(frozen=True, slots=True)
class BadCommand:
    """Octets that are no command; the reader is in step with the client again.

    After a bad answer to a SASL challenge, a bad end of APPEND and anything but DONE in
    IDLE the tag is that of the command at work, which has ended with this.

    Attributes:
        tag: To answer with BAD; None when there was none that could be read.
        error: ``ProtocolSyntaxError``, ``LimitExceeded``, ``UnknownCommand``, or
            ``BadCharset`` (to be answered with NO).
    """

    tag: bytes | None
    error: MaildropError

"""The three services that are served from one core, and their limits.

In this file:
    Service       mail from other servers, from our users, from a mail transport agent
    SMTPLimits    what a session is held to
"""

import enum
from dataclasses import dataclass, field

from maildrop.smtp.wire.reader import WireLimits


class Service(enum.Enum):
    """Who is on the other side; the value is the name in log and configuration.

    SMTP: other servers (RFC 5321), for recipients here only.
    SUBMISSION: our users, who log in (RFC 6409).
    LMTP: a mail transport agent that has a queue (RFC 2033).
    """

    SMTP = "smtp"
    SUBMISSION = "submission"
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True)
class SMTPLimits:
    """What a session is held to.

    Attributes:
        message: Octets of a message.
        recipients: Recipients of a message (RFC 5321 section 4.5.3.1.8: at least 100).
        errors: Bad commands before the connection is closed.
        refused: Refused recipients before it is.
        commands: Commands before it is.
        content_idle: Seconds of silence inside a message (RFC 5321 section 4.5.3.2.5).
        wire: Octets of lines.
    """

    message: int = 52_428_800
    recipients: int = 1000
    errors: int = 20
    refused: int = 100
    commands: int = 100_000
    content_idle: float = 180.0
    wire: WireLimits = field(default_factory=WireLimits)

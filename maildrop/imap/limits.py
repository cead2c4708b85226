"""What an IMAP session is held to.

In this file:
    IMAPLimits    the numbers, each with a default
"""

from dataclasses import dataclass, field

from maildrop.imap.wire import limits


@dataclass(frozen=True, slots=True)
class IMAPLimits:
    """Limits of a session; ``net.connection.Limits`` has those of its connection.

    Attributes:
        message: Octets of a message that APPEND takes.
        bad: Bad commands in a row before the connection is closed.
        bad_before_login: The same for one that has not logged in.
        logins: Failed logins before the connection is closed.
        login: Seconds a client has to log in.
        kept: Octets of a section that are remembered while a client fetches it in
            pieces (``BODY[2]<65536.65536>``).
        pattern: Characters of a LIST pattern with its reference.
        wire: What it may send.
        wire_before_login: The same for one that has not logged in.
    """

    message: int = 52_428_800
    bad: int = 20
    bad_before_login: int = 5
    logins: int = 5
    login: float = 60.0
    kept: int = 8_388_608
    pattern: int = 1000
    wire: limits.Limits = field(default_factory=limits.Limits)
    wire_before_login: limits.Limits = limits.BEFORE_LOGIN

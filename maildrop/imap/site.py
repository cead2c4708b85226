r"""What all sessions of a listener share.

In this file:
    Site             everything a session needs from outside
    Authenticator    judges logins: ``auth.authenticator``
    SPECIAL_USE      the mailboxes that are made at first login
    IDENTITY         who the server is
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from weakref import WeakSet

from twisted.internet.interfaces import IOpenSSLContextFactory

from maildrop import __version__
from maildrop.decisions.recorder import SILENT, Noting
from maildrop.imap.fetch_formatter import Formatters
from maildrop.imap.limits import IMAPLimits
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.names import Namespace
from maildrop.net.sessions import Sessions
from maildrop.sasl.exchange import Exchange, Outcome

#: RFC 6154 section 2: names and what each is for.
SPECIAL_USE: Final = (
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)

IDENTITY: Final = ((b"name", b"maildrop"), (b"version", __version__.encode("ascii")))


class Authenticator(Protocol):
    """Judges logins."""

    def allows_cleartext(self, secure: bool) -> bool:
        """Whether passwords may be sent as they are."""

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        """The SASL mechanisms to offer on a connection."""

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        """Begin a SASL exchange."""

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        """Judge what it ended in."""

    async def authenticate(
        self,
        name: str,
        password: str,
        *,
        service: str,
        source: str,
        note: Noting = SILENT,
    ) -> Account:
        """Judge a name and a password."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all sessions of a listener share.

    Attributes:
        hostname: Our name.
        post: The mail.
        authenticator: Judges logins.
        now: Seconds since 1970 UTC.
        scratch: Directory for the nameless files of large messages.
        tls: Gives the context for STARTTLS; None where it is not offered.
        sessions: The registry of live sessions.
        namespace: How names of mailboxes are written.
        special_use: Names and attributes of the mailboxes made at first login.
        limits: What a session is held to.
        identity: What ID says of the server (RFC 2971).
        formatters: The writers of FETCH responses.
        provided: Mail for which the special-use mailboxes were seen to.
    """

    hostname: str
    post: Post
    authenticator: Authenticator
    now: Callable[[], float]
    scratch: str
    tls: Callable[[], IOpenSSLContextFactory] | None = None
    sessions: Sessions = field(default_factory=Sessions)
    namespace: Namespace = field(default_factory=Namespace)
    special_use: tuple[tuple[str, str], ...] = SPECIAL_USE
    limits: IMAPLimits = field(default_factory=IMAPLimits)
    identity: tuple[tuple[bytes, bytes], ...] = IDENTITY
    formatters: Formatters = field(default_factory=Formatters)
    provided: "WeakSet[Mail]" = field(default_factory=WeakSet)

"""The configuration: every key, its type, default, kind and documentation.

In this file:
    Configuration       the whole file; its fields are keys and sections
    Users ... Limits    the sections; ``schema_store``, ``schema_delivery`` have more
    Listen              one ``[[listen]]``
    ARRAYS              the sections of which there may be several
    KEYS, SECTIONS      the same as tables, for whoever walks over all of it
    PROTOCOLS           what can be served, with its usual ports

All else comes from here: the loader (``config``), ``conf/maildrop.toml`` and
``docs/reference.md`` (``reference``), ``maildrop config check|show|explain``.  Add a
key here and it can be set, is checked and is documented.

Security: there is no key that makes maildrop take mail for a domain that is not named,
or that lets a client send without authentication: no configuration is an open relay.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from maildrop.app import kinds
from maildrop.app.schema_decisions import Decisions
from maildrop.app.schema_delivery import Delivery
from maildrop.app.schema_key import Key, key as _key
from maildrop.app.schema_queue import Queue
from maildrop.app.schema_relay import Relay, Route
from maildrop.app.schema_sendmail import Sendmail
from maildrop.app.schema_special_use import SpecialUse
from maildrop.app.schema_store import Expire, Housekeeping, Quota, QuotaWarning


@dataclass(frozen=True, slots=True)
class Users:
    """Who has mail here and how they prove who they are."""

    passwd: str = field(
        default="passwd",
        metadata=_key(
            kinds.PATH,
            "The file of users, one a line: name:password:uid:gid:gecos:home:shell:"
            "extra. A Dovecot passwd-file works as it is. A changed file is seen "
            "at once. Edit it with `maildrop user`.",
        ),
    )
    home: str = field(
        default="",
        metadata=_key(
            kinds.HOME,
            "The home of users whose line has none; %u, %n and %d may stand in it.",
            shown="home/%u below state",
            example='"/var/vmail/%d/%n"',
        ),
    )


@dataclass(frozen=True, slots=True)
class Mail:
    """Which mail is ours and where it lies."""

    domains: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            kinds.DOMAINS,
            "Domains whose mail is delivered here. Mail for any other is refused.",
            shown="the hostname, and localhost",
            example='["example.org"]',
        ),
    )
    location: str = field(
        default="maildir:~/Maildir",
        metadata=_key(
            kinds.LOCATION,
            "Where a user's mail lies: maildir:PATH, or mbox:INBOX:FOLDERS (the spool "
            "file, and the directory of all other mailboxes). ~ or %h is the home, %u "
            "the user's name, %n the part before an @ in it, %d the part after. "
            "`mail=` in a user's line goes before it.",
        ),
    )
    separator: str = field(
        default="+",
        metadata=_key(
            kinds.SEPARATOR,
            "What stands between user and detail in an address: user+detail@domain "
            "is delivered to user, into the folder of that name if there is one. Each "
            "of several characters separates.",
        ),
    )
    postmaster: str = field(
        default="",
        metadata=_key(
            kinds.TEXT,
            "The user who gets mail for postmaster (RFC 5321 section 4.5.1) where it "
            "is neither a user nor an alias.",
            shown="nobody",
            example='"ann"',
        ),
    )
    locks: tuple[str, ...] = field(
        default=("fcntl", "dotlock"),
        metadata=_key(
            kinds.words("fcntl", "flock", "dotlock"),
            "How an mbox is locked against other programs, in this order; they must "
            "all do the same.",
        ),
    )
    keep_expunged: float = field(
        default=7 * 86400.0,
        metadata=_key(
            kinds.SECONDS,
            "How long messages that a user expunged, or deleted with their mailbox, "
            "can be brought back with `maildrop undelete`. 0 keeps none.",
            example='"7d"',
        ),
    )
    keep_expunged_octets: int = field(
        default=1 << 30,
        metadata=_key(
            kinds.OCTETS,
            "How much of that is kept for one user, the oldest given up first; it does "
            "not count for the quota. 0 is no limit.",
            example='"1G"',
        ),
    )
    search_text: int = field(
        default=1 << 32,
        metadata=_key(
            kinds.OCTETS,
            "Text kept of a mailbox (`maildrop.text`) so that searching it is quick; "
            "made by the first search, mostly half the size of the mail. What is "
            "beyond is read for each search. 0 keeps none.",
            example='"4G"',
        ),
    )
    namespace: str = field(
        default="/",
        metadata=_key(
            kinds.NAMESPACE,
            "How clients see names of mailboxes: the separator between levels, and "
            'before it what every name but INBOX begins with. "." is what Dovecot has '
            'with a Maildir, "INBOX." what Courier has.',
        ),
    )
    special_use: SpecialUse = field(default_factory=SpecialUse)


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption: TLS 1.2 and later. Changed files are taken up without a restart."""

    certificate: str = field(
        default="",
        metadata=_key(
            kinds.PATH_OR_NONE,
            "PEM file of the certificate and its chain. If neither it nor the key "
            "exists, a self-signed one is made and the log says so.",
            shown="certs/server.pem below state",
            example='"../certs/server.pem"',
        ),
    )
    key: str = field(
        default="",
        metadata=_key(
            kinds.PATH_OR_NONE,
            "PEM file of the certificate's private key.",
            shown="certs/server.key below state",
            example='"../certs/server.key"',
        ),
    )


@dataclass(frozen=True, slots=True)
class Auth:
    """Passwords."""

    cleartext: str = field(
        default="tls",
        metadata=_key(
            kinds.choice("tls", "always"),
            "When a password may cross the wire readable: only inside TLS (and from "
            "this machine itself), or always.",
        ),
    )
    cache: float = field(
        default=300.0,
        metadata=_key(
            kinds.SECONDS,
            "How long a password that was right is known without hashing it again. "
            "A changed user is asked again at once. 0 hashes each time.",
        ),
    )
    scheme: str = field(
        default="ARGON2ID",
        metadata=_key(
            kinds.choice("ARGON2ID", "BLF-CRYPT", "SHA512-CRYPT", "SCRAM-SHA-256"),
            "How `maildrop user add` and `passwd` hash new passwords.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Log:
    """What is told, on standard output or in twistd's log file."""

    format: str = field(
        default="text",
        metadata=_key(
            kinds.choice("text", "json"),
            "One line an event: for people, or a JSON object for programs.",
        ),
    )
    level: str = field(
        default="info",
        metadata=_key(
            kinds.choice("debug", "info", "warn", "error"),
            "The least important events told.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, or all together, may take."""

    message: int = field(
        default=50 << 20,
        metadata=_key(
            kinds.OCTETS,
            "The largest message taken, by SMTP, LMTP, submission and APPEND.",
            example='"50M"',
        ),
    )
    line: int = field(
        default=65536,
        metadata=_key(kinds.OCTETS, "The longest IMAP command without its literals."),
    )
    recipients: int = field(
        default=1000,
        metadata=_key(
            kinds.count(100),
            "Recipients of one message. RFC 5321 section 4.5.3.1.8: at least 100.",
        ),
    )
    connections: int = field(
        default=10_000,
        metadata=_key(kinds.count(1), "Connections at a time on one port."),
    )
    connections_per_source: int = field(
        default=0,
        metadata=_key(
            kinds.count(),
            "Connections at a time from one IPv4 address or IPv6 /64; 0 is no limit.",
        ),
    )
    connections_per_user: int = field(
        default=0,
        metadata=_key(kinds.count(), "Sessions of one user at a time; 0 is no limit."),
    )
    errors: int = field(
        default=20,
        metadata=_key(
            kinds.count(1), "Bad commands after which a connection is closed."
        ),
    )
    login: float = field(
        default=120.0,
        metadata=_key(kinds.SECONDS, "Time an IMAP or POP3 client has to log in."),
    )
    idle_imap: float = field(
        default=1800.0,
        metadata=_key(
            kinds.SECONDS,
            "Silence after which an IMAP session ends. RFC 3501 section 5.4: at least "
            "30 minutes.",
            example='"30m"',
        ),
    )
    idle_pop3: float = field(
        default=600.0,
        metadata=_key(
            kinds.SECONDS,
            "Silence after which a POP3 session ends. RFC 1939 section 3: at least 10 "
            "minutes.",
            example='"10m"',
        ),
    )
    idle_smtp: float = field(
        default=300.0,
        metadata=_key(
            kinds.SECONDS,
            "Silence after which an SMTP, submission or LMTP session ends. RFC 5321 "
            "section 4.5.3.2.7: at least 5 minutes.",
            example='"5m"',
        ),
    )


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol that can be served.

    Attributes:
        about: What it is for.
        port: The port of RFC and habit.
        implicit: The port with TLS from the first octet, 0 if there is none.
    """

    about: str
    port: int
    implicit: int


PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "imap": Protocol("reading mail: IMAP (RFC 3501)", 143, 993),
    "pop3": Protocol("fetching mail: POP3 (RFC 1939)", 110, 995),
    "smtp": Protocol("mail from other servers: SMTP (RFC 5321)", 25, 0),
    "submission": Protocol("mail from our users: submission (RFC 6409)", 587, 465),
    "lmtp": Protocol("mail from a mail transport agent: LMTP (RFC 2033)", 24, 0),
}

#: Known words that this version does not serve.
NOT_SERVED: Final = ("managesieve", "web", "milter", "http")


@dataclass(frozen=True, slots=True)
class Listen:
    """One port or socket that is listened on; give as many as you like.

    Without any, maildrop serves imap on 143 and 993, pop3 on 110 and 995, smtp on 25,
    submission on 587 and lmtp on lmtp.sock below state.
    """

    protocol: str = field(
        metadata=_key(
            kinds.choice(*PROTOCOLS, *NOT_SERVED),
            "What is spoken there: " + " ".join(PROTOCOLS) + ".",
            example='"imap"',
        )
    )
    endpoint: str = field(
        metadata=_key(
            kinds.TEXT,
            "Where: a Twisted endpoint string. tcp:143, "
            "tcp:143:interface=127.0.0.1, unix:/run/lmtp.sock:mode=660, or "
            "systemd:domain=INET:index=0 for a socket that systemd opened.",
            example='"tcp:143"',
        )
    )
    tls: str = field(
        default="",
        metadata=_key(
            kinds.choice("none", "starttls", "implicit"),
            "none, starttls (the client asks for TLS), or implicit (TLS from the first "
            "octet).",
            shown="implicit on port 993, 995 or 465, none on a Unix socket and for "
            "lmtp, else starttls",
            example='"starttls"',
        ),
    )
    proxies: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            kinds.NETWORKS,
            "From where a PROXY header (version 1 or 2) is expected.",
            example='["10.0.0.5/32"]',
        ),
    )


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole configuration, every path absolute, every default filled in."""

    version: int = field(
        default=1,
        metadata=_key(kinds.count(1, 1), "The version of this format; always 1."),
    )
    hostname: str = field(
        default="",
        metadata=_key(
            kinds.HOST,
            "The name of this machine in greetings and headers.",
            shown="the system's name",
            example='"mail.example.org"',
        ),
    )
    state: str = field(
        default="/var/lib/maildrop",
        metadata=_key(
            kinds.PATH,
            "A directory of maildrop's own: control socket, indexes of mbox users, "
            "generated certificate.",
        ),
    )
    workers: int = field(
        default=1,
        metadata=_key(
            kinds.count(0, 64), "Processes that serve clients; 0 is one per core."
        ),
    )
    user: str = field(
        default="maildrop",
        metadata=_key(
            kinds.ACCOUNT,
            "The account to work as when started as root, which opens the ports "
            "first. Mail of users that have a uid is touched with their own rights, "
            "all else with this account's. Without root it is not looked at.",
        ),
    )
    users: Users = field(default_factory=Users)
    mail: Mail = field(default_factory=Mail)
    tls: Tls = field(default_factory=Tls)
    auth: Auth = field(default_factory=Auth)
    delivery: Delivery = field(default_factory=Delivery)
    relay: Relay = field(default_factory=Relay)
    queue: Queue = field(default_factory=Queue)
    quota: Quota = field(default_factory=Quota)
    housekeeping: Housekeeping = field(default_factory=Housekeeping)
    sendmail: Sendmail = field(default_factory=Sendmail)
    decisions: Decisions = field(default_factory=Decisions)
    log: Log = field(default_factory=Log)
    limits: Limits = field(default_factory=Limits)
    listen: tuple[Listen, ...] = ()
    route: tuple[Route, ...] = ()
    expire: tuple[Expire, ...] = ()

    @property
    def control_socket(self) -> str:
        """The socket on which `maildrop status` and its kin ask."""
        return self.state.rstrip("/") + "/control.sock"


#: The tables of the file, in the order of its pages.
SECTIONS: Final[Mapping[tuple[str, ...], type[Any]]] = {
    (): Configuration,
    ("users",): Users,
    ("mail",): Mail,
    ("mail", "special_use"): SpecialUse,
    ("tls",): Tls,
    ("auth",): Auth,
    ("delivery",): Delivery,
    ("relay",): Relay,
    ("queue",): Queue,
    ("route",): Route,
    ("quota",): Quota,
    ("quota", "warning"): QuotaWarning,
    ("housekeeping",): Housekeeping,
    ("expire",): Expire,
    ("sendmail",): Sendmail,
    ("decisions",): Decisions,
    ("log",): Log,
    ("limits",): Limits,
    ("listen",): Listen,
}


#: Those of which there may be several, written with two brackets.
ARRAYS: Final = frozenset({("listen",), ("quota", "warning"), ("expire",), ("route",)})


def _keys() -> Iterator[Key]:
    for section, cls in SECTIONS.items():
        for each in dataclasses.fields(cls):
            if each.metadata:
                missing = each.default is dataclasses.MISSING
                default = None if missing else each.default
                yield Key(section, each.name, default=default, **each.metadata)


KEYS: Final[Mapping[tuple[str, ...], Key]] = {key.path: key for key in _keys()}

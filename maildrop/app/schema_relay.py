"""Sections of the configuration about mail to other servers.

In this file:
    Relay       how mail leaves
    Route       one ``[[route]]``: another way for some domains
    problems    what does not fit together in them
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.app import kinds
from maildrop.app.schema_key import key

_TLS: Final = kinds.choice(
    "none", "opportunistic", "verified", "implicit", or_none=True
)
_TLS_ABOUT: Final = (
    "none: never TLS. opportunistic: TLS where it is offered, whoever the server is, "
    "else without. verified: TLS or nothing, and its certificate has to be right. "
    "implicit: so too, and TLS begins with the first octet, as it does on port 465."
)
_TLS_DEFAULT: Final = "verified with a user, else opportunistic"
_CA_ABOUT: Final = (
    "A PEM file of the authorities that certificates have to be signed by; a "
    "self-signed certificate may stand in it itself."
)
_FILE_ABOUT: Final = (
    "A file whose first line is the password; only root or maildrop should be able "
    "to read it. It is read at start and reload."
)

#: Where a key is, what is wrong with it, what to do, whether nothing can go on.
Problem = tuple[tuple[str | int, ...], str, str, bool]


@dataclass(frozen=True, slots=True)
class Relay:
    """How mail for other hosts leaves: by their MX records, or through one server."""

    smarthost: str = field(
        default="",
        metadata=key(
            kinds.SERVER,
            "The server that takes all mail for others. Without one mail goes to the "
            "mail exchangers of its domain (MX).",
            shown="none",
            example='"smtp.provider.example"',
        ),
    )
    port: int = field(
        default=0,
        metadata=key(
            kinds.count(0, 65535),
            "Its port.",
            shown="587 with a user, else 25",
            example="587",
        ),
    )
    tls: str = field(
        default="",
        metadata=key(_TLS, _TLS_ABOUT, shown=_TLS_DEFAULT, example='"verified"'),
    )
    ca: str = field(
        default="",
        metadata=key(
            kinds.PATH_OR_NONE,
            _CA_ABOUT,
            shown="those of the system",
            example='"/etc/ssl/certs/ca-certificates.crt"',
        ),
    )
    user: str = field(
        default="",
        metadata=key(
            kinds.TEXT,
            "Who to log in as at the smarthost: by SCRAM-SHA-256 or SCRAM-SHA-1 if it "
            "has them; by PLAIN or LOGIN over verified TLS, or on this machine.",
            shown="no login",
            example='"example-user"',
        ),
    )
    password_file: str = field(
        default="",
        metadata=key(
            kinds.PATH_OR_NONE,
            _FILE_ABOUT,
            shown="none",
            example='"smarthost-password"',
        ),
    )
    families: tuple[str, ...] = field(
        default=("ipv6", "ipv4"),
        metadata=key(
            kinds.words("ipv6", "ipv4"),
            "Which addresses of other servers are used, in this order.",
        ),
    )
    connect: float = field(
        default=30.0,
        metadata=key(
            kinds.SECONDS,
            "How long one address is waited for; then the next is tried. What comes "
            "after has the times of RFC 5321.",
            example='"30s"',
        ),
    )
    keep: float = field(
        default=5.0,
        metadata=key(
            kinds.SECONDS,
            "How long a session stays open for the next message. 0 ends each at once.",
            example='"5s"',
        ),
    )
    messages: int = field(
        default=100,
        metadata=key(kinds.count(1), "Messages of a session; then it ends."),
    )
    recipients: int = field(
        default=100,
        metadata=key(
            kinds.count(1, 1000), "Recipients that another server is told at once."
        ),
    )
    etrn: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.DOMAINS,
            "Domains whose server may ask by ETRN (RFC 1985) that what waits for them "
            "is tried at once, and all below them.",
            shown="none",
            example='["branch.example.org"]',
        ),
    )


@dataclass(frozen=True, slots=True)
class Route:
    """Another way for the mail of some domain."""

    domain: str = field(
        metadata=key(
            kinds.DOMAIN_OR_BELOW,
            "The domain; with a dot before it, all below it.",
            example='".example.net"',
        )
    )
    host: str = field(
        default="",
        metadata=key(
            kinds.SERVER,
            "The server that takes its mail: a name, an address, or the path of a "
            "socket.",
            shown="the domain's mail exchangers",
            example='"10.0.0.7"',
        ),
    )
    protocol: str = field(
        default="smtp",
        metadata=key(
            kinds.choice("smtp", "lmtp"),
            "smtp, or lmtp where the mailboxes are: it answers for each recipient.",
        ),
    )
    port: int = field(
        default=0,
        metadata=key(
            kinds.count(0, 65535),
            "Its port.",
            shown="24 with lmtp, 587 with a user, else 25",
            example="25",
        ),
    )
    tls: str = field(
        default="",
        metadata=key(_TLS, _TLS_ABOUT, shown=_TLS_DEFAULT, example='"verified"'),
    )
    ca: str = field(
        default="",
        metadata=key(kinds.PATH_OR_NONE, _CA_ABOUT, shown="as relay.ca", example='""'),
    )
    user: str = field(
        default="",
        metadata=key(kinds.TEXT, "Who to log in as there.", shown="no login"),
    )
    password_file: str = field(
        default="",
        metadata=key(kinds.PATH_OR_NONE, _FILE_ABOUT, shown="none"),
    )


def problems(relay: Relay, routes: Sequence[Route]) -> Iterator[Problem]:
    """What does not fit together."""
    yield from _login(("relay",), relay, relay.smarthost, "smarthost")
    seen: dict[str, int] = {}
    for at, route in enumerate(routes):
        place = ("route", at)
        if route.domain in seen:
            what = f'"{route.domain}" has a route already, route[{seen[route.domain]}]'
            yield (*place, "domain"), what, "take one of them away", True
        seen.setdefault(route.domain, at + 1)
        if route.protocol == "lmtp" and not route.host:
            what = "lmtp needs a host: no MX record leads to it"
            yield (*place, "protocol"), what, "write host = ...", True
        yield from _login(place, route, route.host, "host")


def _login(
    place: tuple[str | int, ...], section: Relay | Route, host: str, name: str
) -> Iterator[Problem]:
    if bool(section.user) != bool(section.password_file):
        missing = "password_file" if section.user else "user"
        yield (*place, missing), "is missing beside the other one", "", True
    elif section.user and not host:
        what = "logs in nowhere: there is no " + name
        yield (*place, "user"), what, f"write {name} = ...", True
    elif section.user and section.tls in {"none", "opportunistic"}:
        what = "without verified TLS, PLAIN and LOGIN are used on this machine only"
        yield (*place, "tls"), what, 'write tls = "verified"', False
    if section.port and not host:
        what = "is of no use: mail exchangers listen on port 25"
        yield (*place, "port"), what, f"write {name} = ...", False

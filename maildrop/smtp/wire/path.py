r"""Paths: the addresses in MAIL FROM and RCPT TO.

In this file:
    Path                 a mailbox as the wire names it
    reverse_path         the sender, None for ``<>``
    forward_path         a recipient
    path_of              an address as text
    Utf8NotAllowed       a UTF-8 address where SMTPUTF8 was not asked for

Grammar: RFC 5321 section 4.1.2, with RFC 6531 section 3.3 for UTF-8:

    Path     = "<" [ A-d-l ":" ] Mailbox ">"     ; the source route A-d-l is ignored
    Mailbox  = ( Dot-string / Quoted-string ) "@" ( Domain / address-literal )

Taken beyond the grammar, because clients send it:
    ``MAIL FROM:user@host``         no brackets (old clients, people)
    ``MAIL FROM: <user@host>``      spaces after the colon
    ``RCPT TO:<user>``              no domain: one of this host; LMTP clients
    ``a..b@host``, ``a.@host``      dots where Dot-string has none (mobile carriers)
    ``user@my_host``                underscores in domains

Limits: RFC 5321 section 4.5.3.1.1 and 4.5.3.1.2 are what must at least be taken, 64 and
255 octets; local parts rewritten by VERP or SRS are longer, so both may have 255 here.

Security: no control character, no octet that is not UTF-8, and no space outside of
quotes passes, so that a path can be put into a header field or a log line as it is.
"""

import re
from typing import Final

from maildrop.errors import ProtocolSyntaxError

#: Octets of a local part, and of a domain.
PART_MAX: Final = 255

_ATEXT: Final = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\x80-\xff]+"
_QUOTED: Final = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'
_LABELS: Final = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_.\-\x80-\xff]*)"
_LITERAL: Final = rb"\[[A-Za-z0-9:.\-]+\]"
_MAILBOX: Final = (
    rb"(?P<local>" + _ATEXT + rb"|" + _QUOTED + rb")"
    rb"(?:@(?P<domain>" + _LABELS + rb"|" + _LITERAL + rb"))?"
)
_BRACKETED: Final = re.compile(rb"<(?:@[^:<>\s]*:)?" + _MAILBOX + rb">(?= |$)")
_BARE: Final = re.compile(_MAILBOX + rb"(?= |$)")
_DOT_STRING: Final = re.compile(
    r"[^\s\"(),:;<>@\[\\\].]+(?:\.[^\s\"(),:;<>@\[\\\].]+)*"
)
_NULL: Final = re.compile(rb"<>(?= |$)")
_SPECIAL: Final = re.compile(r'(["\\])')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


class Utf8NotAllowed(ProtocolSyntaxError):
    """An address in UTF-8 without SMTPUTF8 (RFC 6531 section 3.5)."""


class Path:
    """A mailbox as the wire names it: a value, never changed.

    No dataclass, for ``sendmail`` needs it and is started all the time.

    Attributes:
        local: The local part, without quotes and backslashes.
        domain: A domain as it was written, or an address literal with its brackets, or
            nothing.
    """

    __slots__ = ("domain", "local")

    def __init__(self, local: str, domain: str) -> None:
        self.local: Final = local
        self.domain: Final = domain

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Path):
            return NotImplemented
        return self.local == other.local and self.domain == other.domain

    def __hash__(self) -> int:
        return hash((self.local, self.domain))

    def __repr__(self) -> str:
        return f"Path({self.local!r}, {self.domain!r})"

    def __str__(self) -> str:
        """As it stands between angle brackets, quoted where that is needed."""
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            local = '"' + _SPECIAL.sub(r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        """Whether SMTPUTF8 is not needed for it."""
        return self.local.isascii() and self.domain.isascii()


def reverse_path(octets: bytes) -> tuple[Path | None, int]:
    """The argument of MAIL after ``FROM:``.

    Returns:
        The sender, None for the null sender; and where it ends.

    Raises:
        ProtocolSyntaxError: It is no path.
    """
    null = _NULL.match(octets)
    if null is not None:
        return None, null.end()
    return forward_path(octets)


def forward_path(octets: bytes) -> tuple[Path, int]:
    """The argument of RCPT after ``TO:``.

    Returns:
        The recipient; and where it ends.

    Raises:
        ProtocolSyntaxError: It is no path.
    """
    pattern = _BRACKETED if octets.startswith(b"<") else _BARE
    found = pattern.match(octets)
    if found is None:
        raise ProtocolSyntaxError("not an address")
    local, domain = found.group("local"), found.group("domain") or b""
    if len(local) > PART_MAX or len(domain) > PART_MAX:
        raise ProtocolSyntaxError("address too long")
    try:
        path = Path(_unquoted(local.decode()), domain.decode())
    except UnicodeDecodeError as error:
        raise ProtocolSyntaxError("address is not UTF-8", error.start) from error
    if not path.is_ascii and not (path.local + path.domain).isprintable():
        raise ProtocolSyntaxError("control character in an address")
    _check_domain(path.domain)
    return path, found.end()


def path_of(text: str) -> Path:
    """An address as ``str`` of a path gives it, or as people write it in files.

    Raises:
        ProtocolSyntaxError: It is none.
    """
    octets = text.encode()
    path, end = forward_path(octets)
    if end != len(octets):
        raise ProtocolSyntaxError("something follows the address", end)
    return path


def _unquoted(local: str) -> str:
    if local.startswith('"'):
        return _QUOTED_PAIR.sub(r"\1", local[1:-1])
    return local


def _check_domain(domain: str) -> None:
    """RFC 5321 section 4.1.2 (labels) and 4.1.3 (address literals)."""
    if not domain.startswith("["):
        if (
            ".." in domain
            or domain.endswith((".", "-"))
            or ".-" in domain
            or "-." in domain
        ):
            raise ProtocolSyntaxError("not a domain")
        return
    import ipaddress  # noqa: PLC0415 (hardly an address needs it)

    inner = domain[1:-1]
    try:
        if inner[:5].upper() == "IPV6:":
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ValueError as error:
        raise ProtocolSyntaxError("not an address literal") from error

"""Where mail goes, and how it is talked to there.

In this file:
    NextHop    a server or a domain, and how a session with it has to be
    Routes     a NextHop for each destination
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from maildrop.sasl.client import Login
from maildrop.smtp.client.hosts import Unroutable, ascii_domain, is_own, literal
from maildrop.smtp.wire.opening import TLSPolicy
from maildrop.tls_client import Trust

#: RFC 8314 section 3.3.
SUBMISSIONS: Final = 465


@dataclass(frozen=True, slots=True)
class NextHop:
    """A server or a domain, and how a session with it has to be.

    Attributes:
        host: A domain, a host, an address, or the path of a UNIX socket.
        port: TCP port.
        by_mx: The host is a domain, whose exchangers are asked for.
        lmtp: LMTP is spoken (RFC 2033).
        tls: Whether TLS is used.
        implicit: TLS begins with the first octet (RFC 8314 section 3.3).
        trust: Who says that a certificate is right.
        login: Who we are there; None to stay anonymous.
    """

    host: str
    port: int = 25
    by_mx: bool = False
    lmtp: bool = False
    tls: TLSPolicy = TLSPolicy.OPPORTUNISTIC
    implicit: bool = False
    trust: Trust = field(default_factory=Trust)
    login: Login | None = None

    @property
    def private(self) -> bool:
        """Whether the server is on this machine."""
        if self.host.startswith("/") or self.host == "localhost":
            return True
        address = literal(self.host)
        return bool(address) and is_own(address)

    def __str__(self) -> str:
        kind = "lmtp" if self.lmtp else "smtp"
        if self.by_mx:
            return f"{kind}:{self.host}"
        return f"{kind}:[{self.host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class Routes:
    """A NextHop for each destination.

    A domain's own entry goes before one of the domains above it, which is written with
    a dot (``.example.org``), and that before the default.

    Attributes:
        default: For all others; its host is set to the domain where it goes ``by_mx``.
        table: By domain, lower case.
    """

    default: NextHop
    table: Mapping[str, NextHop] = field(default_factory=dict)

    def next_hop(self, domain: str) -> NextHop:
        """Where mail for a domain goes.

        Raises:
            Unroutable: It is no domain.
        """
        name = ascii_domain(domain)
        found = self.table.get(name)
        rest = name
        while found is None and "." in rest:
            _, _, rest = rest.partition(".")
            found = self.table.get("." + rest)
        found = found or self.default
        return replace(found, host=name) if found.by_mx else found

    def toward(self, domain: str) -> tuple[str, str]:
        """The relay and the destination that a recipient in a domain has in the queue.

        All domains that go to one server are one destination: so a message for several
        of them goes once, and they share the limit of attempts at a time.
        """
        try:
            hop = self.next_hop(domain)
        except Unroutable:  # which the attempt will find too, and report
            return "smtp", domain
        return ("lmtp" if hop.lmtp else "smtp"), hop.host if hop.by_mx else str(hop)

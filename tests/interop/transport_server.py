"""A server for ``test_transport.py``: the talker on our transports or on Twisted's.

Arguments: ``ours`` or ``stock``, then a directory for the certificate and UNIX socket.
It prints its ports as a JSON object, and on SIGTERM the failures that were logged.
"""

import json
import sys
from collections.abc import Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, LogLevel, globalLogBeginner
from zope.interface import provider

from maildrop.net.connection import Limits
from maildrop.net.listeners import Listener, bind_all, open_all
from maildrop.net.port import PortLimits
from maildrop.tls import Certificates
from tests.net.talker import Talker

LIMITS = Limits(idle=30.0, ahead=1 << 16, behind=1 << 18, close=2.0)

failures: list[str] = []
live: set["Server"] = set()


@provider(ILogObserver)
def observe(event: dict[str, Any]) -> None:
    if event.get("log_level") in {LogLevel.critical, LogLevel.error}:
        failures.append(str(event.get("log_failure") or event.get("log_format")))


class Server(Talker):
    """The talker, which can also begin TLS, tell of its peer and of its fellows."""

    certificates: Certificates

    def connectionMade(self) -> None:
        live.add(self)
        super().connectionMade()

    def closed(self) -> None:
        live.discard(self)

    def handle(self, event: bytes) -> Coroutine[Any, Any, None] | None:
        match event.split(b" "):
            case [b"starttls"]:
                self.write(b"go\r\n")
                if self.octets:
                    self.close()
                else:
                    self.start_tls(self.certificates.context_factory())
                return None
            case [b"peer"]:
                encryption = self.peer.encryption
                version = encryption.version if encryption is not None else "-"
                self.write(f"{self.peer} {version}\r\n".encode())
                return None
            case [b"live"]:
                self.write(b"%d\r\n" % len(live))
                return None
            case [b"blob", size]:
                self.write(bytes(int(size)))
                return None
        return super().handle(event)


class Talkers(Factory):
    """Makes them."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Server:
        return Server(reactor, LIMITS)  # type: ignore[arg-type] # it is the clock


def say(fact: object) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def main(kind: str, directory: str) -> None:
    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)
    clock: Any = reactor
    Server.certificates = Certificates(
        f"{directory}/server.pem", f"{directory}/server.key", clock
    )
    loopback = "tcp:0:interface=127.0.0.1"
    bound = bind_all(
        [
            Listener("clear", loopback, "starttls"),
            Listener("tls", loopback, "implicit"),
            Listener("proxied", loopback, "none", ("127.0.0.0/8",)),
            Listener("proxied-tls", loopback, "implicit", ("127.0.0.0/8",)),
            Listener("unix", f"unix:{directory}/socket:mode=600"),
        ]
    )
    names = {one.listener.protocol: one.socket.getsockname() for one in bound}
    open_all(
        reactor,
        bound,
        lambda _: Talkers(),
        Server.certificates.context_factory(),
        limits=PortLimits(handshake=1.0, preface=1.0),
        stock=kind == "stock",
    )
    say(names)
    clock.run()
    say(failures)


if __name__ == "__main__":
    main(*sys.argv[1:])

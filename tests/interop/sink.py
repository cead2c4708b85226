"""A host that takes mail over SMTP, now and then not, and counts what it took.

In this file:
    Sink        the host: a port of the loopback interface, in threads of this process
    Taken       a message that it said 250 for
    Session     one connection

It outlives those who send.  By chance, but repeatable for each connection, it greets
with 421, answers MAIL, RCPT or the end of the message with 4xx, or hangs up before it
has answered; recipients called ``gone`` it never takes.
"""

import math
import random
import re
import socketserver
import threading
import time
from dataclasses import dataclass, field
from typing import Final, Self

from tests.interop.server import PATIENCE

_PATH: Final = re.compile(rb"(?:FROM|TO):<([^>]*)>", re.IGNORECASE)
_SUBJECT: Final = re.compile(rb"^Subject: (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that it said 250 for.

    Attributes:
        name: The first word of its subject.
        sender: The reverse path.
        recipient: One of those it was for.
        session: Number of the connection.
    """

    name: str
    sender: str
    recipient: str
    session: int


@dataclass
class Session:
    """One connection.

    Attributes:
        taken: What was taken, and when (of ``time.monotonic``).
        cut: When the other side was gone without a word; None if it was not.
    """

    taken: list[tuple[float, Taken]] = field(default_factory=list)
    cut: float | None = None


class _Closed(Exception):
    """We hang up."""


class _Handler(socketserver.StreamRequestHandler):
    """Speaks SMTP, as much as is needed."""

    timeout = PATIENCE

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        self._sink = server.sink
        self._number, self._session, self._chance = self._sink.opened()
        self._sender, self._recipients = "", list[str]()
        try:
            self._talk()
        except OSError:
            self._session.cut = time.monotonic()
        except _Closed:
            return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _line(self) -> bytes:
        line = self.rfile.readline(65536)
        if not line.endswith(b"\n"):
            raise ConnectionResetError
        return line

    def _is(self, percent: float) -> bool:
        return self._sink.moody and self._chance.random() * 100 < percent

    def _talk(self) -> None:
        if self._is(4):
            self._say("421 4.3.2 not now")
            return
        self._say("220 sink.example ESMTP")
        while True:
            line = self._line()
            if self._is(1):
                raise _Closed
            word = line.split()[0].upper() if line.split() else b""
            if word == b"EHLO":
                self._say("250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME")
            elif word in {b"MAIL", b"RCPT"}:
                self._envelope(word, line)
            elif word == b"DATA":
                self._data()
            elif word == b"QUIT":
                self._say("221 2.0.0 bye")
                return
            else:
                self._say("250 2.0.0 ok" if word == b"RSET" else "502 5.5.1 what?")

    def _envelope(self, word: bytes, line: bytes) -> None:
        found = _PATH.search(line)
        path = found[1].decode() if found else ""
        if word == b"MAIL":
            self._recipients = []
            if self._is(3):
                self._sender = ""
                self._say("451 4.3.0 later")
                return
            self._sender = path
        elif path.startswith("gone"):
            self._say("550 5.1.1 nobody is called so")
            return
        elif self._is(8):
            self._say("450 4.2.1 later")
            return
        else:
            self._recipients.append(path)
        self._say("250 2.1.0 ok")

    def _data(self) -> None:
        if not self._recipients:
            self._say("503 5.5.1 for whom?")
            return
        self._say("354 go on")
        octets = bytearray()
        while (line := self._line()) != b".\r\n":
            octets += line
        if self._is(1):
            raise _Closed
        if self._is(6):
            self._say("451 4.3.0 no room")
            return
        subject = _SUBJECT.search(octets)
        name = subject[1].decode() if subject else ""
        taken = [
            Taken(name, self._sender, each, self._number) for each in self._recipients
        ]
        self._sink.take(self._session, taken)
        self._recipients = []
        self._say("250 2.0.0 taken")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sink: "Sink") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sink = sink


class Sink:
    """The host.

    Args:
        seed: Decides when it takes nothing.

    Attributes:
        taken: Everything it took, in order.
        sessions: All connections.
        moody: It takes nothing now and then.
    """

    def __init__(self, seed: int) -> None:
        self.taken: list[Taken] = []
        self.sessions: list[Session] = []
        self.moody = True
        self._seed = seed
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    def opened(self) -> tuple[int, Session, random.Random]:
        """Somebody connected."""
        with self._lock:
            number = len(self.sessions)
            self.sessions.append(Session())
        chance = random.Random(f"{self._seed}-{number}")  # noqa: S311 - no secret
        return number, self.sessions[number], chance

    def take(self, session: Session, taken: list[Taken]) -> None:
        """A message was taken; the other side does not know it yet."""
        with self._lock:
            self.taken += taken
            session.taken += [(time.monotonic(), each) for each in taken]

    def repeated(self) -> dict[str, list[float]]:
        """What was taken more than once.

        Returns:
            By name, for each time but the last: how many seconds later its connection
            was cut, infinity if it was not.
        """
        times: dict[str, list[tuple[float, float]]] = {}
        with self._lock:
            for session in self.sessions:
                cut = math.inf if session.cut is None else session.cut
                for when, each in session.taken:
                    times.setdefault(each.name, []).append((when, cut))
        return {
            name: [cut - when for when, cut in sorted(found)[:-1]]
            for name, found in times.items()
            if len(found) > 1
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

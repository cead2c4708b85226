"""A server in memory, as a client meets it: well-behaved unless told otherwise."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from maildrop.sasl.exchange import Credentials, Proven
from maildrop.sasl.mechanisms import ScramSource, start
from maildrop.sasl.scram import ScramKeys
from maildrop.smtp.wire.data import Dots

#: What it offers unless a test says otherwise.
MODERN = (
    "PIPELINING",
    "SIZE 1000000",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "DSN",
)
PASSWORD = "secret"  # of everybody
#: In an answer: the connection is closed behind it.
CLOSE = "\0close"


def scram_keys(algorithm: str, name: str) -> ScramKeys:
    return ScramKeys.of(algorithm, PASSWORD.encode(), b"salt" + name.encode(), 4096)


@dataclass(frozen=True)
class Taken:
    """A message that the server has taken.

    Attributes:
        mail: The MAIL command.
        rcpts: The RCPT commands of the recipients it is for.
        content: Octets.
    """

    mail: str
    rcpts: tuple[str, ...]
    content: bytes


@dataclass
class Peer:
    """The server's end of a connection.

    Attributes:
        offers: Extensions.
        answers: Instead of the usual reply: by command line, by verb, or ``greeting``,
            ``end`` (with LMTP also ``end <address>``).
        lmtp: RFC 2033.
        taken: Messages.
        commands: What was said, in order.
        closed: It hung up.
        secure: TLS stands.
    """

    offers: tuple[str, ...] = MODERN
    answers: Mapping[str, str] = field(default_factory=dict)
    lmtp: bool = False
    name: str = "mx.example.net"
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    closed: bool = False
    secure: bool = False
    wants_tls: bool = False
    user: str = ""
    _octets: bytes = b""
    _mail: str = ""
    _rcpts: list[str] = field(default_factory=list)
    _dots: Dots | None = None
    _content: bytes = b""
    _chunk: int = -1
    _last: bool = False
    _exchange: object = None

    def greeting(self) -> bytes:
        return self._said("greeting", f"220 {self.name} ESMTP")

    def receive(self, octets: bytes) -> bytes:
        """Take octets, and give the answers to what is complete."""
        self._octets += octets
        answers = b""
        while self._octets and not self.closed and not self.wants_tls:
            answer = self._next()
            if answer is None:
                break
            answers += answer
        return answers

    def _next(self) -> bytes | None:
        if self._dots is not None:
            content, end = self._dots.feed(self._octets)
            self._content += content
            self._octets = self._octets[end:] if end >= 0 else b""
            if end < 0:
                return None
            self._dots = None
            return self._ended()
        if self._chunk >= 0:
            piece = self._octets[: self._chunk]
            self._content += piece
            self._octets = self._octets[len(piece) :]
            self._chunk -= len(piece)
            if self._chunk:
                return None
            self._chunk = -1
            return self._ended() if self._last else b"250 2.0.0 chunk\r\n"
        line, end_of_line, rest = self._octets.partition(b"\r\n")
        if not end_of_line:
            return None
        self._octets = rest
        return self._command(line.decode())

    def _said(self, key: str, usual: str) -> bytes:
        """The answer that was asked for, or the usual one."""
        verb = key.partition(" ")[0]
        answer = self.answers.get(key, self.answers.get(verb, usual))
        answer, close, _ = answer.partition(CLOSE)
        self.closed = self.closed or bool(close)
        return answer.encode() + b"\r\n" if answer else b""

    def _command(self, line: str) -> bytes:
        if self._exchange is not None:
            return self._respond(line)
        self.commands.append(line)
        verb = line.partition(" ")[0].upper()
        if verb in {"EHLO", "LHLO"}:
            right = verb == ("LHLO" if self.lmtp else "EHLO")
            lines = [self.name, *self.offers]
            if self.secure:
                lines = [each for each in lines if each != "STARTTLS"]
            marks = ["-"] * (len(lines) - 1) + [" "]
            usual = "\r\n".join(
                f"250{m}{each}" for m, each in zip(marks, lines, strict=True)
            )
            return self._said(line, usual if right else "500 5.5.1 no")
        if verb == "HELO":
            return self._said(line, f"250 {self.name}")
        if verb == "STARTTLS":
            answer = self._said(line, "220 2.0.0 go on")
            self.wants_tls = answer.startswith(b"220")
            return answer
        if verb == "AUTH":
            return self._auth(line)
        return self._transaction(verb, line)

    def _transaction(self, verb: str, line: str) -> bytes:
        if verb == "MAIL":
            answer = self._said(line, "250 2.1.0 OK")
            if answer.startswith(b"2"):
                self._mail, self._rcpts = line, []
        elif verb == "RCPT":
            answer = self._said(line, "250 2.1.5 OK" if self._mail else "503 5.5.1 no")
            if answer.startswith(b"2"):
                self._rcpts.append(line)
        elif verb == "DATA":
            answer = self._said(line, "354 go on" if self._rcpts else "503 5.5.1 no")
            if answer.startswith(b"354"):
                self._dots, self._content = Dots(), b""
        elif verb == "BDAT":
            found = re.fullmatch(r"BDAT (\d+)( LAST)?", line)
            assert found
            self._chunk, self._last = int(found[1]), bool(found[2])
            self._content = b""
            answer = b""
        elif verb == "RSET":
            answer = self._said(line, "250 2.0.0 OK")
            self._mail, self._rcpts = "", []
        elif verb == "QUIT":
            answer = self._said(line, "221 2.0.0 bye")
            self.closed = True
        else:
            answer = self._said(line, "500 5.5.1 no")
        return answer

    def _ended(self) -> bytes:
        """The message is complete: an answer, or one for each recipient."""
        rcpts, self._rcpts = self._rcpts, []
        mail, self._mail = self._mail, ""
        good = []
        answers = []
        if self.lmtp:
            for rcpt in rcpts:
                answers.append(self._said(f"end {address(rcpt)}", "250 2.0.0 taken"))
                if answers[-1].startswith(b"2"):
                    good.append(rcpt)
        else:
            answers.append(self._said("end", "250 2.0.0 taken"))
            if answers[-1].startswith(b"2"):
                good = rcpts
        if good:
            self.taken.append(Taken(mail, tuple(good), self._content))
        return b"".join(answers)

    def _auth(self, line: str) -> bytes:
        _, mechanism, *initial = line.split(" ")
        if "AUTH" in self.answers:
            return self._said(line, "")
        octets = base64.b64decode(initial[0]) if initial else None
        source = ScramSource(scram_keys, lambda: b"server-nonce")
        self._exchange = start(mechanism, octets, source)
        return self._judged()

    def _respond(self, line: str) -> bytes:
        self._exchange.respond(base64.b64decode(line))  # type: ignore[attr-defined]
        return self._judged()

    def _judged(self) -> bytes:
        step = self._exchange.step  # type: ignore[attr-defined]
        if isinstance(step, bytes):
            return b"334 " + base64.b64encode(step) + b"\r\n"
        self._exchange = None
        if isinstance(step, Proven) or (
            isinstance(step, Credentials) and step.password == PASSWORD
        ):
            self.user = step.authentication
        if self.user:
            return b"235 2.7.0 welcome\r\n"
        return b"535 5.7.8 no\r\n"


def address(rcpt: str) -> str:
    """The address of a RCPT command."""
    return rcpt.partition("<")[2].partition(">")[0]

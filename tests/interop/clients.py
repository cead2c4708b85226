"""Clients of the standard library, and messages to send with them.

In this file:
    trust               TLS that believes the server's own certificate
    pop3, imap          a session that is logged in
    lmtp, deliver       LMTP, and messages put into a mailbox with it
    pop3_messages       all messages, as POP3 gives them
    imap_messages       all messages, as IMAP gives them
    whole, assert_whole whether messages came through unchanged
    message, AWKWARD    messages that are easy, and hard, to keep whole
    Wire                a connection on which one writes the octets oneself
"""

import contextlib
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final, Self

from tests.interop.server import DOMAIN, PATIENCE, Server, User

HOST: Final = "127.0.0.1"
SENDER: Final = "sender@elsewhere.example"

# RFC 1939 section 3 knows no limit; poplib's is below what real messages have.
poplib._MAXLINE = 1 << 20  # type: ignore[attr-defined]

#: What delivery puts before a message.
TRACE: Final = re.compile(
    rb"Return-Path: <[^\r\n]*>\r\n"
    rb"Delivered-To: [^\r\n]+\r\n"
    rb"Received: [^\r\n]+\r\n(?:\t[^\r\n]+\r\n)+"
)


def message(name: str, body: bytes = b"Good day.\r\n") -> bytes:
    """A plain message; ``name`` tells it from others."""
    return (
        f"From: {SENDER}\r\nTo: someone@{DOMAIN}\r\nSubject: {name}\r\n"
        f"Message-ID: <{name}@elsewhere.example>\r\n"
        "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\n"
    ).encode() + body


#: What gets lost, doubled or changed where a program is careless.
AWKWARD: Final[dict[str, bytes]] = {
    "dots": b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
    "from-lines": b"From me to you\r\n>From here\r\n\r\nFrom a@b Thu Jan  1 00:00:00"
    b" 2026\r\nSubject: not a new message\r\n\r\n>>From\r\n",
    "eight-bit": bytes(range(1, 10)) + bytes(range(14, 256)) + b"\r\n",
    "nul": b"before\0after\r\n",
    "long-line": b"x" * 60_000 + b"\r\n",
    "many-lines": b"\r\n" * 20_000,
    "no-body": b"",
    "bare-cr": b"one\rtwo\r\r\nthree\r\n",
    "large": b"".join(b"%070d\r\n" % number for number in range(20_000)),
    "blank-lines-at-the-end": b"text\r\n\r\n\r\n\r\n",
    "white-space-at-the-end": b"text \t \r\n \r\n",
}
#: Header fields that programs take for their own, and messages that have none.
AWKWARD_WHOLE: Final[dict[str, bytes]] = {
    "mbox-fields": b"Status: RO\r\nX-Status: AF\r\nX-UID: 7\r\nX-IMAPbase: 1 2\r\n"
    b"Content-Length: 5\r\nX-Keywords: Junk\r\nX-Mbox-Unterminated: yes\r\n"
    b"Subject: fields\r\n\r\ntext\r\n",
    "no-header": b"\r\nonly a body\r\n",
    "typed-by-hand": b"hello, this is no header\r\n",
    "header-only": b"Subject: no blank line\r\n",
    "eight-bit-header": "Subject: Grüße\r\n\r\nGrüße\r\n".encode(),
    "from-in-header": b"Subject: x\r\nFrom : y\r\n>From z\r\n\r\ntext\r\n",
}


def awkward() -> list[bytes]:
    """All awkward messages."""
    return [message(name, body) for name, body in AWKWARD.items()] + list(
        AWKWARD_WHOLE.values()
    )


def whole(stored: bytes, sent: bytes) -> bool:
    """Whether what is stored is trace fields, and then what was sent."""
    trace = TRACE.match(stored)
    assert trace, stored[:500]
    # A message without any header field is set apart by a blank line.
    return stored[trace.end() :] in {sent, b"\r\n" + sent}


def assert_whole(stored: Sequence[bytes], sent: Sequence[bytes]) -> None:
    """See that each message is there, once, in order and unchanged."""
    assert len(stored) == len(sent)
    for have, want in zip(stored, sent, strict=True):
        assert whole(have, want), (want[:300], have[:900])


def trust(server: Server) -> ssl.SSLContext:
    """TLS that believes the certificate that the server has made for itself."""
    return ssl.create_default_context(cafile=server.certificate)


def pop3(server: Server, user: User, port: str = "pop3") -> poplib.POP3:
    """A POP3 session that is logged in; ``stls`` is the plain port with STLS."""
    if port == "pop3s":
        context = trust(server)
        client: poplib.POP3 = poplib.POP3_SSL(
            HOST, server.ports[port], timeout=PATIENCE, context=context
        )
    else:
        client = poplib.POP3(HOST, server.ports["pop3"], timeout=PATIENCE)
        if port == "stls":
            client.stls(trust(server))
    client.user(user.name)
    client.pass_(user.password)
    return client


def pop3_messages(server: Server, user: User, port: str = "pop3") -> list[bytes]:
    """All messages of a user, octet for octet."""
    client = pop3(server, user, port)
    try:
        found = []
        for line in client.list()[1]:
            number, size = map(int, line.split())
            octets = b"".join(each + b"\r\n" for each in client.retr(number)[1])
            assert len(octets) == size
            found.append(octets)
        return found
    finally:
        client.quit()


def imap(server: Server, user: User, port: str = "imap") -> imaplib.IMAP4:
    """An IMAP session that is logged in; ``starttls`` is the plain port with TLS."""
    if port == "imaps":
        context = trust(server)
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            HOST, server.ports[port], timeout=PATIENCE, ssl_context=context
        )
    else:
        client = imaplib.IMAP4(HOST, server.ports["imap"], timeout=PATIENCE)
        if port == "starttls":
            client.starttls(trust(server))
    client.login(user.name, user.password)
    return client


def imap_messages(
    server: Server, user: User, mailbox: str = "INBOX", port: str = "imap"
) -> list[bytes]:
    """All messages of a mailbox, octet for octet."""
    client = imap(server, user, port)
    try:
        status, [count] = client.select(f'"{mailbox}"', readonly=True)
        assert status == "OK", count
        if count == b"0":
            return []
        status, parts = client.fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[])")
        assert status == "OK"
        found = []
        for part in parts:
            if isinstance(part, tuple):
                size = re.search(rb"RFC822\.SIZE (\d+)", part[0])
                assert size
                assert int(size[1]) == len(part[1])
                found.append(part[1])
        assert len(found) == int(count or b"0")
        return found
    finally:
        client.logout()


def uids(server: Server, user: User, mailbox: str = "INBOX") -> tuple[int, list[int]]:
    """UIDVALIDITY and all UIDs of a mailbox."""
    client = imap(server, user)
    try:
        client.select(f'"{mailbox}"', readonly=True)
        [validity] = client.response("UIDVALIDITY")[1]
        [found] = client.uid("SEARCH", "ALL")[1]
        return int(validity), [int(uid) for uid in (found or b"").split()]
    finally:
        client.logout()


@contextlib.contextmanager
def lmtp(server: Server) -> Iterator[smtplib.LMTP]:
    """An LMTP session."""
    client = smtplib.LMTP(HOST, server.ports["lmtp"])
    try:
        yield client
    finally:
        client.close()


def deliver(server: Server, user: User, *messages: bytes) -> None:
    """Put messages into a user's inbox."""
    with lmtp(server) as client:
        for octets in messages:
            refused = client.sendmail(SENDER, [user.address], octets, ["BODY=8BITMIME"])
            assert refused == {}


class Wire:
    """A connection on which one writes the octets oneself.

    Args:
        server: Whose port.
        port: Its name.
    """

    def __init__(self, server: Server, port: str) -> None:
        address = HOST, server.ports[port]
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cut the connection."""
        self._file.close()
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send octets."""
        self.socket.sendall(octets)

    def line(self, seconds: float = PATIENCE) -> bytes:
        """The next line, empty at the end."""
        self.socket.settimeout(seconds)
        return self._file.readline()

    def read(self, count: int) -> bytes:
        """So many octets."""
        return self._file.read(count)

    def rest(self) -> bytes:
        """Everything up to the end."""
        return self._file.read()

    def until(self, start: bytes, seconds: float = PATIENCE) -> list[bytes]:
        """Lines up to the one that begins so, which is the last."""
        found: list[bytes] = []
        while True:
            line = self.line(seconds)
            assert line, f"the connection ended: {found}"
            found.append(line)
            if line.startswith(start):
                return found

    def command(self, tag: bytes, command: bytes) -> list[bytes]:
        """Send an IMAP command; gives the lines of its response."""
        self.send(tag + b" " + command + b"\r\n")
        return self.until(tag + b" ")

    def login(self, user: User) -> Self:
        """Log in to IMAP."""
        self.line()
        login = f'LOGIN {user.name} "{user.password}"'.encode()
        assert self.command(b"in", login)[-1].startswith(b"in OK")
        return self

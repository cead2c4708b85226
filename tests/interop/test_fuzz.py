"""A real server under mutated conversations: no error, no growth, and still serving.

``MAILDROP_FUZZ_SECONDS`` says for how long (16), ``MAILDROP_FUZZ_SEED`` with which
mutations (1).
"""

import contextlib
import os
import random
import socket
import threading
import time
from typing import Final

import pytest

from tests.fuzz import conversations
from tests.fuzz.conversations import mutated
from tests.interop.clients import HOST, deliver, imap, message
from tests.interop.server import Server, User, until

SECONDS: Final = float(os.environ.get("MAILDROP_FUZZ_SECONDS", "16"))
SEED: Final = os.environ.get("MAILDROP_FUZZ_SEED", "1")
CONVERSATIONS: Final = {
    "imap": conversations.IMAP,
    "pop3": conversations.POP3,
    "smtp": conversations.SMTP,
    "lmtp": conversations.LMTP,
    "submission": conversations.SUBMISSION,
}
USERS: Final = (
    User("alice", "mbox", password="secret"),
    User("bob", password="secret"),
    User("carol", "mbox", password="secret"),
)


class Attacker(threading.Thread):
    """Holds one conversation after the other, until it is told to stop."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._chance = random.Random(f"{SEED}-{number}")  # noqa: S311 (no secret)
        self._names = [*CONVERSATIONS, "imap"]
        self.held = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            name = self._chance.choice(self._names)
            sent = mutated(CONVERSATIONS[name], self._chance)
            # One user has a Maildir, the other an mbox.
            octets = b"".join(sent)
            if self._chance.random() < 0.5:
                octets = octets.replace(b"alice", b"bob")
                octets = octets.replace(b"AGFsaWNlAHNlY3JldA==", b"AGJvYgBzZWNyZXQ=")
            with contextlib.suppress(OSError):
                self._converse(name, octets)
            self.held += 1

    def _converse(self, port: str, octets: bytes) -> None:
        address = HOST, self._server.ports[port]
        with socket.create_connection(address, timeout=0.3) as client:
            while octets:
                cut = self._chance.choice((1, 10, 1000, 100_000))
                client.sendall(octets[:cut])
                octets = octets[cut:]
                if self._chance.random() < 0.1:
                    client.recv(1 << 16)
            if self._chance.random() < 0.5:
                client.shutdown(socket.SHUT_WR)
                while client.recv(1 << 16):
                    pass


def test_no_conversation_breaks_the_server_or_stays_in_it() -> None:
    limits = "[limits]\nerrors = 50\n"
    with Server(USERS, configuration=limits) as server:
        for user in USERS:
            deliver(server, user, message("first"), message("second"))
        attackers = [Attacker(server, number) for number in range(6)]
        for attacker in attackers:
            attacker.start()
        looks = []
        for _ in range(2):
            end = time.monotonic() + SECONDS / 2
            until(lambda: time.monotonic() > end, seconds=SECONDS)  # noqa: B023
            looks.append(server.resident())
        for attacker in attackers:
            attacker.stopped.set()
        for attacker in attackers:
            attacker.join()
        assert sum(attacker.held for attacker in attackers) > 20 * SECONDS
        assert server.trouble() == []
        until(lambda: server.who() == [], "all sessions to end")
        assert looks[1] - looks[0] < 24 << 20  # octets; mail came in, too
        for user in USERS[:2]:
            client = imap_secret(server, user)
            assert client == "OK"


def imap_secret(server: Server, user: User) -> str:
    """Whether the user is still served."""
    client = imap(server, user)
    try:
        return client.select()[0]
    finally:
        client.logout()


def test_descriptors_are_given_back() -> None:
    """Of connections that end at any moment."""
    with Server(USERS) as server:
        deliver(server, USERS[0], message("first"))
        imap_secret(server, USERS[0])
        before = server.descriptors()
        chance = random.Random(SEED)  # noqa: S311
        for _ in range(300):
            name = chance.choice([*CONVERSATIONS, "imaps", "pop3s"])
            address = HOST, server.ports[name]
            octets = b"".join(CONVERSATIONS.get(name, [b"\x16\x03\x01\0\1"])[:8])
            with socket.create_connection(address) as client:
                client.sendall(octets[: chance.randrange(len(octets))])
        until(lambda: server.descriptors() <= before + 8, "descriptors to be closed")
        assert server.trouble() == []


@pytest.mark.parametrize("port", ["imap", "pop3"])
def test_a_client_that_never_reads_is_not_kept_in_memory(port: str) -> None:
    """A large mailbox asked for again and again, and not one octet read."""
    large = message("large", b"%070d\r\n" % 7 * 30_000)  # 2 MB
    asked = {
        "imap": b"a LOGIN alice secret\r\nb SELECT INBOX\r\n"
        + b"c FETCH 1:* BODY.PEEK[]\r\n" * 2000,
        "pop3": b"USER alice\r\nPASS secret\r\n" + b"RETR 1\r\nRETR 2\r\n" * 2000,
    }
    with Server(USERS) as server:
        deliver(server, USERS[0], large, large)
        imap_secret(server, USERS[0])
        before = server.resident()
        with socket.create_connection((HOST, server.ports[port])) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(1)
            with contextlib.suppress(TimeoutError):
                client.sendall(asked[port])
            begun = time.monotonic()
            imap_secret(server, USERS[1])
            assert time.monotonic() - begun < 2  # others are served meanwhile
            assert server.resident() - before < 40 << 20
        assert server.trouble() == []

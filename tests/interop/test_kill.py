"""``kill -9`` while mail comes in: what was acknowledged is there, once.

Senders deliver all the time; the server is killed at a moment that nobody knows,
started again, and asked what it has.  Every message answered with 250 (or OK) is there
exactly once, every other at most once, all are whole, UIDVALIDITY and the UIDs of
messages seen before are what they were.

How much: ``MAILDROP_KILL_ROUNDS`` rounds (3) of ``MAILDROP_KILL_MESSAGES`` deliveries
(200); the moments come from ``MAILDROP_KILL_SEED`` (1).
"""

import contextlib
import hashlib
import itertools
import os
import random
import re
import smtplib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.interop.clients import HOST, SENDER, Wire, deliver, imap
from tests.interop.server import MAILDIR, MBOX, Server, User, until

ROUNDS: Final = int(os.environ.get("MAILDROP_KILL_ROUNDS", "3"))
MESSAGES: Final = int(os.environ.get("MAILDROP_KILL_MESSAGES", "200"))
SEED: Final = int(os.environ.get("MAILDROP_KILL_SEED", "1"))
SENDERS: Final = 8
USERS: Final = (MAILDIR, MBOX)

_SUBJECT: Final = re.compile(rb"^Subject: (\S+) (\S+)\r\n", re.MULTILINE)
#: What a client meets when the server is killed.
_CUT: Final = (OSError, EOFError, smtplib.SMTPException, AssertionError)


def letter(name: str, size: int) -> bytes:
    """A message that says who it is and how to see that it is whole."""
    body = (f"{name} " * (size // len(name))).encode() + b"\r\nFrom here\r\n.\r\n"
    checksum = hashlib.sha256(body).hexdigest()
    return f"From: {SENDER}\r\nSubject: {name} {checksum}\r\n\r\n".encode() + body


@dataclass
class Ledger:
    """What the senders know.

    Attributes:
        begun: Messages by name, with the user they went to.
        acknowledged: Names of those that the server has taken.
    """

    begun: dict[str, User] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)


Send = Callable[[Server, User, Iterator[str], Ledger, random.Random], None]


def by_lmtp(
    server: Server,
    user: User,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    client = smtplib.LMTP(HOST, server.ports["lmtp"])
    _send(client, user, names, ledger, chance)


def by_smtp(
    server: Server,
    user: User,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    client = smtplib.SMTP(HOST, server.ports["smtp"])
    _send(client, user, names, ledger, chance)


def _send(
    client: smtplib.SMTP,
    user: User,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    try:
        for name in names:
            octets = letter(name, chance.choice((300, 3_000, 30_000)))
            ledger.begun[name] = user
            client.sendmail(SENDER, [user.address], octets)
            ledger.acknowledged.add(name)
    finally:
        client.close()


def by_append(
    server: Server,
    user: User,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    with Wire(server, "imap").login(user) as wire:
        for name in names:
            octets = letter(name, chance.choice((300, 3_000, 30_000)))
            ledger.begun[name] = user
            wire.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(octets), octets))
            if wire.until(b"a ")[-1].startswith(b"a OK"):
                ledger.acknowledged.add(name)


def there(
    server: Server, user: User, mailbox: str = "INBOX"
) -> tuple[int, dict[int, str]]:
    """UIDVALIDITY, and the name of the message of each UID; all are whole."""
    client = imap(server, user)
    try:
        status, [count] = client.select(mailbox, readonly=True)
        assert status == "OK", count
        [validity] = client.response("UIDVALIDITY")[1]
        if count == b"0":
            return int(validity), {}
        found = {}
        for part in client.fetch("1:*", "(UID BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                uid = re.search(rb"UID (\d+)", part[0])
                subject = _SUBJECT.search(part[1])
                assert uid
                assert subject, part[1][:1000]
                body = part[1].partition(b"\r\n\r\n")[2]
                assert hashlib.sha256(body).hexdigest().encode() == subject[2]
                found[int(uid[1])] = subject[1].decode()
        assert len(found) == int(count or b"")
        return int(validity), found
    finally:
        client.logout()


@pytest.mark.parametrize(
    "ways",
    [(by_lmtp, by_smtp), (by_append, by_append), (by_append, by_lmtp)],
    ids=["deliveries", "appends", "mixed"],
)
def test_what_was_acknowledged_survives_a_kill(ways: tuple[Send, Send]) -> None:
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    ledger = Ledger()
    with Server() as server:
        before = {user: there(server, user) for user in USERS}
        for number in range(ROUNDS):
            _round(server, ways, ledger, chance, number)
            for user in USERS:
                validity, found = there(server, user)
                assert validity == before[user][0]
                assert found.items() >= before[user][1].items()
                before[user] = validity, found
                _check(ledger, user, found)
        assert server.trouble() == []
        server.stop()
        server.start()
        assert {user: there(server, user) for user in USERS} == before
        _nothing_is_left(server)
    assert len(ledger.acknowledged) > ROUNDS


def _round(
    server: Server,
    ways: tuple[Send, Send],
    ledger: Ledger,
    chance: random.Random,
    number: int,
) -> None:
    """One round: senders at work, the server killed under them, and started again."""
    names = (f"{number}-{count}" for count in itertools.count())
    limited = itertools.islice(names, MESSAGES)
    lock = threading.Lock()

    def next_names() -> Iterator[str]:
        while True:
            with lock:
                name = next(limited, None)
            if name is None:
                return
            yield name

    def sender(at: int) -> None:
        user = USERS[at % 2]
        with contextlib.suppress(*_CUT):
            ways[at // 2 % 2](
                server,
                user,
                next_names(),
                ledger,
                random.Random(f"{SEED}-{number}-{at}"),  # noqa: S311
            )

    wanted = len(ledger.acknowledged) + chance.randrange(1, MESSAGES - SENDERS)
    threads = [threading.Thread(target=sender, args=(at,)) for at in range(SENDERS)]
    for thread in threads:
        thread.start()
    until(lambda: len(ledger.acknowledged) >= wanted, "so many deliveries")
    server.kill()
    for thread in threads:
        thread.join()
    server.start()


def _check(ledger: Ledger, user: User, found: dict[int, str]) -> None:
    count = Counter(found.values())
    assert [name for name, times in count.items() if times > 1] == []
    begun = {name for name, whom in ledger.begun.items() if whom is user}
    assert begun & ledger.acknowledged <= set(count)
    assert set(count) <= begun


def _nothing_is_left(server: Server) -> None:
    """What the kills left half-made is gone when the next message has come."""
    deliver(server, MBOX, letter("last", 300))
    assert os.listdir(server.state / "scratch") == []
    assert not list(server.spool(MBOX).parent.glob("*.lock"))


def test_what_moves_is_in_one_place_after_a_kill() -> None:
    """RFC 6851 section 3.3: a message is never in neither mailbox."""
    chance = random.Random(SEED)  # noqa: S311
    names = [f"moving-{number}" for number in range(120)]
    with Server() as server:
        for user in USERS:
            with Wire(server, "imap").login(user) as wire:
                wire.command(b"c", b"CREATE Other")
                for name in names:
                    octets = letter(name, 500)
                    wire.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(octets), octets))
                    assert wire.until(b"a ")[-1].startswith(b"a OK")
        for _ in range(ROUNDS):
            moved: Counter[User] = Counter()

            def mover(
                user: User, source: bytes, target: bytes, count: Counter[User]
            ) -> None:
                with (
                    contextlib.suppress(*_CUT),
                    Wire(server, "imap").login(user) as wire,
                ):
                    while True:
                        wire.command(b"s", b"SELECT " + source)
                        wire.command(b"m", b"MOVE 1:3 " + target)
                        count[user] += 1

            threads = [
                threading.Thread(target=mover, args=(user, *way, moved))
                for user in USERS
                for way in ((b"INBOX", b"Other"), (b"Other", b"INBOX"))
            ]
            for thread in threads:
                thread.start()
            wanted = chance.randrange(3, 30)
            until(lambda: min(moved[user] for user in USERS) >= wanted, "moves")  # noqa: B023
            server.kill()
            for thread in threads:
                thread.join()
            server.start()
            for user in USERS:
                inbox, other = there(server, user)[1], there(server, user, "Other")[1]
                together = Counter([*inbox.values(), *other.values()])
                assert set(together) == set(names)
                # At most the three of the last command of each mover are in both.
                assert sum(together.values()) <= len(names) + 6
                _keep_one(server, user, together)
        assert server.trouble() == []


def _keep_one(server: Server, user: User, together: Counter[str]) -> None:
    """Remove the second copies that a kill in the midst of MOVE has left."""
    doubled = {name for name, times in together.items() if times > 1}
    uids = [uid for uid, name in there(server, user)[1].items() if name in doubled]
    for name in doubled:
        assert together[name] == 2
    if uids:
        with Wire(server, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            numbers = ",".join(map(str, uids)).encode()
            wire.command(b"d", b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % numbers)
            wire.command(b"e", b"EXPUNGE")

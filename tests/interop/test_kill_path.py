"""``kill -9`` while mail is on all its ways: once to each, or one report.

Senders hand in mail over submission, LMTP and ``sendmail``, for mailboxes of ours,
aliases that mean several, recipients elsewhere, and some who are nowhere; the host that
takes mail for elsewhere outlives the kills and is moody (``sink``).  The server is
killed at moments that nobody knows, and started again; with two workers sometimes one
of these alone, and another goes on.  In the end nothing is in the queue, and of each
message that was taken (250, or exit status 0)

    each mailbox of ours      has it once
    the host elsewhere        has it once, but for what it took within ``A_MOMENT``
                              before a kill cut the connection: that may come again
    who is nowhere            was told of to the sender once, and nobody else was

What nobody said was taken is nowhere twice.

A moment is a second.  On two cores with work for twenty, the last of 468 messages was
noted 0.3 s after it was taken, and the connections of a killed process were seen to be
cut up to 0.2 s after it was killed.

How much: as in ``test_kill``; the messages are those of a round, of all ways together.
"""

import contextlib
import itertools
import os
import random
import re
import signal
import smtplib
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import HOST, imap_messages, trust
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, MAILDIR, MBOX, PASSWORD, Server, User, until
from tests.interop.sink import Sink

ROUNDS: Final = int(os.environ.get("MAILDROP_KILL_ROUNDS", "2"))
MESSAGES: Final = int(os.environ.get("MAILDROP_KILL_MESSAGES", "60"))
SEED: Final = int(os.environ.get("MAILDROP_KILL_SEED", "1"))
ANN: Final = User("ann")
BOB: Final = User("bob", "mbox")
SAM: Final = User("sam")
USERS: Final = (MAILDIR, MBOX, ANN, BOB, SAM)
FAR: Final = "far@far.example"
GONE: Final = "gone@far.example"
TEAM: Final = f"team@{DOMAIN}"
AWAY: Final = f"away@{DOMAIN}"
NOBODY: Final = f"nosuch@{DOMAIN}"
#: Whom an address means.
MEANS: Final[dict[str, tuple[str, ...]]] = {
    TEAM: (ANN.address, BOB.address),
    AWAY: (FAR,),
}
NOWHERE: Final = frozenset({GONE, NOBODY})
_SUBJECT: Final = re.compile(rb"^Subject: ([a-z]+-\d+-\d+)\r\n", re.MULTILINE)
_FINAL: Final = re.compile(
    rb"^Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)", re.MULTILINE
)
#: Seconds after its 250 in which a message is surely noted.
A_MOMENT: Final = 1.0
#: What the first process says of a worker that was killed.
_KILLED: Final = "worker killed by signal 9"
#: What a client meets when the server is killed.
_CUT: Final = (OSError, EOFError, smtplib.SMTPException)
_CONFIGURATION: Final = """
[delivery]
aliases = ["aliases"]
[queue]
retry = ["1s"]
rest = "0.2s"
[[route]]
domain = "far.example"
host = "127.0.0.1"
port = PORT
"""


@dataclass
class Ledger:
    """What the senders know.

    Attributes:
        begun: For whom each message is.
        taken: For whom of these it was said to be taken.
    """

    begun: dict[str, list[str]] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)


def letter(name: str, chance: random.Random) -> bytes:
    line = f"{name} and so on\r\n"
    text = line * (chance.choice((300, 3_000, 60_000)) // len(line))
    return f"From: {SAM.address}\r\nSubject: {name}\r\n\r\n{text}".encode()


def some(chance: random.Random, *addresses: str) -> list[str]:
    """At least two of them."""
    return chance.sample(addresses, chance.randint(2, len(addresses)))


Send = Callable[[Server, Path, Iterator[str], Ledger, random.Random], None]


def by_submission(
    server: Server,
    command: Path,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    """One reply for all."""
    del command
    with smtplib.SMTP(HOST, server.ports["submission"], timeout=30) as client:
        client.starttls(context=trust(server))
        client.login(SAM.name, PASSWORD)
        for number in names:
            name = f"submission-{number}"
            to = some(chance, MAILDIR.address, MBOX.address, TEAM, FAR, GONE)
            ledger.begun[name] = to
            refused = client.sendmail(SAM.address, to, letter(name, chance))
            ledger.taken[name] = [each for each in to if each not in refused]


def by_lmtp(
    server: Server,
    command: Path,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    """A reply for each."""
    del command
    client = smtplib.LMTP(HOST, server.ports["lmtp"])
    try:
        for number in names:
            name = f"lmtp-{number}"
            to = some(chance, MAILDIR.address, MBOX.address, TEAM, AWAY)
            ledger.begun[name] = to
            client.ehlo_or_helo_if_needed()
            client.mail(SAM.address)
            for each in to:
                if client.rcpt(each)[0] != 250:
                    raise smtplib.SMTPServerDisconnected("421, as it ends")
            if client.docmd("data")[0] != 354:
                raise smtplib.SMTPServerDisconnected("421, as it ends")
            client.send(letter(name, chance) + b".\r\n")
            for each in to:
                if client.getreply()[0] == 250:
                    ledger.taken.setdefault(name, []).append(each)
    finally:
        client.close()


def by_sendmail(
    server: Server,
    command: Path,
    names: Iterator[str],
    ledger: Ledger,
    chance: random.Random,
) -> None:
    """It takes all, whether a server is there or not."""
    for number in names:
        name = f"sendmail-{number}"
        to = some(chance, MAILDIR.address, TEAM, FAR, GONE, NOBODY)
        ledger.begun[name] = to
        done = subprocess.run(
            [command, "-C", server.file, "-oi", "-f", SAM.address, "--", *to],
            input=letter(name, chance).replace(b"\r\n", b"\n"),
            capture_output=True,
            timeout=30,
            check=False,
            user="nobody",
            group="nogroup",
        )
        if done.returncode == 0:
            ledger.taken[name] = to


#: Each is a sender; of the slow ones there are several.
SENDERS: Final[tuple[Send, ...]] = (
    by_submission,
    by_submission,
    by_lmtp,
    by_lmtp,
    by_sendmail,
    by_sendmail,
)


def children(server: Server) -> list[int]:
    """The processes of its workers, if it has any."""
    found = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(each) for each in found.split()]


def kill(server: Server, chance: random.Random, workers: int) -> None:
    """Kill all of it at once, or one worker; it serves again then."""
    if workers > 1 and chance.random() < 0.5:
        one = chance.choice(until(lambda: children(server), "a worker"))
        os.kill(one, signal.SIGKILL)
        return  # another comes by itself
    every = children(server)
    server.kill()
    for each in every:
        with contextlib.suppress(ProcessLookupError):  # it saw that the first is gone
            os.kill(each, signal.SIGKILL)
    server.start()


def send(
    server: Server,
    command: Path,
    ledger: Ledger,
    chance: random.Random,
    number: int,
    workers: int,
) -> None:
    """One round: senders at work, and two kills meanwhile."""
    limited = itertools.islice((f"{number}-{n}" for n in itertools.count()), MESSAGES)
    lock = threading.Lock()

    def next_names() -> Iterator[str]:
        while True:
            with lock:
                name = next(limited, None)
            if name is None:
                return
            yield name

    def sender(at: int) -> None:
        own = random.Random(f"{SEED}-{number}-{at}")  # noqa: S311 - no secret
        names = next_names()
        for _ in range(200):  # it connects again when it was cut
            with contextlib.suppress(*_CUT):
                SENDERS[at](server, command, names, ledger, own)
                return
            names = next_names()
            over.wait(0.1)

    over = threading.Event()
    before = len(ledger.taken)
    threads = [
        threading.Thread(target=sender, args=(at,)) for at in range(len(SENDERS))
    ]
    for thread in threads:
        thread.start()
    for share in (0.3, 0.7):
        wanted = before + int(MESSAGES * share * chance.uniform(0.5, 1.2))
        until(
            lambda: (
                len(ledger.taken) >= wanted  # noqa: B023 - used at once
                or not any(thread.is_alive() for thread in threads)
            ),
            "so many messages",
        )
        kill(server, chance, workers)
    for thread in threads:
        thread.join()


def meant(recipients: list[str]) -> Counter[str]:
    """Whom they mean in the end."""
    return Counter(each for one in recipients for each in MEANS.get(one, (one,)))


def empty(server: Server) -> bool:
    """Whether nothing waits."""
    queue = server.state / "queue"
    return not any(
        each.suffix != ".new"
        for place in ("entries", "drop")
        for each in (queue / place).iterdir()
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_each_has_it_once_or_the_sender_one_report(workers: int) -> None:
    chance = random.Random(SEED + workers)  # noqa: S311 - no secret
    ledger = Ledger()
    with Sink(SEED) as sink, Reachable() as reachable:
        server = Server(
            USERS,
            _CONFIGURATION.replace("PORT", str(sink.port)),
            f"workers = {workers}",
            ports=["imap", "submission", "lmtp"],
        )
        text = f"team: ann, bob\naway: {FAR}\n"
        (server.directory / "aliases").write_text(text)
        with server:
            for number in range(ROUNDS):
                send(server, reachable.sendmail, ledger, chance, number, workers)
            sink.moody = False
            until(lambda: empty(server), "an empty queue", 60.0)
            found = {user: imap_messages(server, user) for user in USERS}
            assert list((server.state / "queue" / "corrupt").iterdir()) == []
            assert [each for each in server.trouble() if _KILLED not in each] == []
    _check_mailboxes(ledger, found)
    _check_elsewhere(ledger, sink)
    _check_reports(ledger, found[SAM])
    assert len(ledger.taken) > ROUNDS * MESSAGES // 4


def _check_mailboxes(ledger: Ledger, found: dict[User, list[bytes]]) -> None:
    for user in USERS[:-1]:
        names = (_SUBJECT.search(octets) for octets in found[user])
        have = Counter(each[1].decode() for each in names if each)
        assert [name for name, times in have.items() if times > 1] == []
        for name, recipients in ledger.taken.items():
            if meant(recipients)[user.address]:
                assert have[name], f"{name} of {user.name}"
        for name in have:
            assert meant(ledger.begun[name])[user.address]


def _check_elsewhere(ledger: Ledger, sink: Sink) -> None:
    have = Counter(each.name for each in sink.taken)
    assert {each.recipient for each in sink.taken} <= {FAR}
    for name, recipients in ledger.taken.items():
        if meant(recipients)[FAR]:
            assert have[name], f"{name} elsewhere"
    for name in have:
        assert meant(ledger.begun[name])[FAR]
    twice = sink.repeated()
    longest = max(itertools.chain(*twice.values()), default=0.0)
    print(  # noqa: T201 - for who runs it long
        f"{len(ledger.begun)} begun, {len(ledger.taken)} taken, {len(sink.taken)} sent "
        f"on, {len(twice)} twice, the longest {longest:.3f} s before a cut"
    )
    assert longest < A_MOMENT, twice


def _check_reports(ledger: Ledger, found: list[bytes]) -> None:
    told: Counter[tuple[str, str]] = Counter()
    for octets in found:
        ends = _FINAL.findall(octets)
        subject = _SUBJECT.search(octets)
        assert ends
        assert subject
        for address, action in ends:
            assert action == b"failed"
            told[subject[1].decode(), address.decode()] += 1
    assert [each for each, times in told.items() if times > 1] == []
    for name, recipients in ledger.taken.items():
        for each in NOWHERE.intersection(recipients):
            assert told[name, each], f"{name}: {each}"
    assert {address for _, address in told} <= NOWHERE

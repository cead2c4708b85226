"""The four servers, fed with mutated conversations: no error, nothing left, no growth.

They run in this process, on string transports, with mail in memory.  Every unhandled
error of a server is logged with its failure; here each of these is one too many.
"""

import gc
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from twisted.logger import (
    ILogObserver,
    LogEvent,
    globalLogBeginner,
    globalLogPublisher,
)
from zope.interface import implementer

from maildrop.net.sessions import Sessions
from maildrop.smtp.service import Service
from tests.fuzz import conversations
from tests.fuzz.conversations import mutated, scripts
from tests.imap.conftest import MESSAGE, Served as ImapServed
from tests.pop3.conftest import Served as Pop3Served
from tests.smtp.conftest import Served as SmtpServed

#: Conversations between two looks at memory.
ROUNDS: Final = 60


class Fed(Protocol):
    """A connection that octets can be fed to."""

    @property
    def closed(self) -> bool:
        """The server has ended it."""

    def send(self, octets: bytes) -> bytes:
        """Send octets; what the server answers."""

    def lose(self) -> None:
        """The connection breaks."""

    def pause(self, slow: bool) -> None:
        """Whether what needs a thread waits for ``finish``."""

    def finish(self) -> None:
        """What waits in threads ends; a second passes."""

    @property
    def sessions(self) -> Sessions:
        """The registry of live sessions."""


class Imap:
    """IMAP, with two messages."""

    def __init__(self, scratch: str) -> None:
        self.served = ImapServed(scratch)
        self.served.fill(MESSAGE, MESSAGE)
        self.client = self.served.connect()

    @property
    def closed(self) -> bool:
        return self.client.closed

    @property
    def sessions(self) -> Sessions:
        return self.served.site.sessions

    def send(self, octets: bytes) -> bytes:
        return self.client.send(octets)

    def lose(self) -> None:
        self.client.lose()

    def pause(self, slow: bool) -> None:
        self.served.threads.slow = slow

    def finish(self) -> None:
        self.served.threads.finish()
        self.served.clock.advance(1)


class Pop3:
    """POP3, with three messages."""

    def __init__(self, scratch: str) -> None:
        del scratch
        self.served = Pop3Served()
        self.client = self.served.connect()

    @property
    def closed(self) -> bool:
        return self.client.closed

    @property
    def sessions(self) -> Sessions:
        return self.served.services.sessions

    def send(self, octets: bytes) -> bytes:
        return self.client.send(octets)

    def lose(self) -> None:
        self.client.lose()

    def pause(self, slow: bool) -> None:
        self.served.threads.slow = slow

    def finish(self) -> None:
        while self.served.threads.waiting:
            self.served.threads.finish()
        self.served.clock.advance(1)


class Smtp:
    """SMTP."""

    def __init__(self, scratch: str, service: Service = Service.SMTP) -> None:
        self.served = SmtpServed(service, scratch)
        self.served.connect("127.0.0.1")

    @property
    def closed(self) -> bool:
        return self.served.closed

    @property
    def sessions(self) -> Sessions:
        return self.served.site.sessions

    def send(self, octets: bytes) -> bytes:
        return self.served.say(octets)

    def lose(self) -> None:
        self.served.lose()

    def pause(self, slow: bool) -> None:
        """Nothing here needs a thread."""

    def finish(self) -> None:
        self.served.clock.advance(1)


class Lmtp(Smtp):
    """LMTP."""

    def __init__(self, scratch: str) -> None:
        super().__init__(scratch, Service.LMTP)


class Submission(Smtp):
    """Submission."""

    def __init__(self, scratch: str) -> None:
        super().__init__(scratch, Service.SUBMISSION)


Make = Callable[[str], Fed]
SERVERS: Final[dict[str, tuple[Make, list[bytes]]]] = {
    "imap": (Imap, conversations.IMAP),
    "pop3": (Pop3, conversations.POP3),
    "smtp": (Smtp, conversations.SMTP),
    "lmtp": (Lmtp, conversations.LMTP),
    "submission": (Submission, conversations.SUBMISSION),
}


@pytest.fixture(scope="module", autouse=True)
def no_log_history() -> None:
    """Twisted keeps events, and so connections, until somebody begins to log."""
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    """What was logged as an error."""
    found: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        level = event.get("log_level")
        failure = event.get("log_failure")
        if failure is not None:
            found.append(failure.getTraceback())
        elif level is not None and level.name in {"error", "critical"}:
            found.append(str(event.get("log_format")))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def converse(
    fed: Fed, sent: list[bytes], cuts: Iterator[int], slow: bool = False
) -> None:
    """Feed a conversation, cut anywhere; then the connection breaks."""
    fed.pause(slow)
    octets = b"".join(sent)
    while octets and not fed.closed:
        cut = next(cuts)
        fed.send(octets[:cut])
        octets = octets[cut:]
        if slow and cut % 3 == 0:
            fed.finish()
    fed.lose()
    fed.pause(slow=False)
    fed.finish()
    assert list(fed.sessions) == []


def pieces(chance: random.Random) -> Iterator[int]:
    while True:
        yield chance.choice((1, 2, 7, 100, 1000, 100_000))


@pytest.mark.parametrize("name", SERVERS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_conversation_ends_in_an_error(
    name: str, data: st.DataObject, troubles: list[str], tmp_path: object
) -> None:
    make, conversation = SERVERS[name]
    sent = data.draw(scripts(conversation))
    slow = data.draw(st.booleans())
    chance = data.draw(st.randoms(use_true_random=False))
    converse(make(str(tmp_path)), sent, pieces(chance), slow)
    assert troubles == []


@pytest.mark.parametrize("name", SERVERS)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(octets=st.binary(max_size=300))
def test_any_octets_are_answered_or_end_the_connection(
    name: str, octets: bytes, troubles: list[str], tmp_path: object
) -> None:
    make, _ = SERVERS[name]
    fed = make(str(tmp_path))
    answer = fed.send(octets + b"\r\n" * 3)
    assert answer or fed.closed or name == "imap"
    fed.lose()
    fed.finish()
    assert list(fed.sessions) == []
    assert troubles == []


def growth(talk: Callable[[], None]) -> int:
    """Objects that rounds of something leave, once modules and caches are filled."""
    counts = []
    for _ in range(4):
        for _ in range(ROUNDS):
            talk()
        gc.collect()
        counts.append(len(gc.get_objects()))
    return min(after - before for before, after in itertools.pairwise(counts))


@pytest.mark.parametrize("name", SERVERS)
def test_conversations_leave_nothing_in_memory(
    name: str, troubles: list[str], tmp_path: object
) -> None:
    make, conversation = SERVERS[name]
    chance = random.Random(name)  # noqa: S311 (no secret)

    def talk() -> None:
        converse(make(str(tmp_path)), mutated(conversation, chance), pieces(chance))

    assert growth(talk) < ROUNDS // 2
    assert troubles == []


@pytest.mark.parametrize("name", ["imap", "pop3"])
def test_sessions_of_one_server_leave_nothing_in_memory(
    name: str, tmp_path: object
) -> None:
    """The server stays; who came and went is forgotten."""
    fed = SERVERS[name][0](str(tmp_path))
    assert isinstance(fed, Imap | Pop3)
    lines = {
        "imap": [b"a LOGIN alice secret\r\n", b"b SELECT INBOX\r\n", b"c IDLE\r\n"],
        "pop3": [b"USER alice\r\n", b"PASS secret\r\n", b"UIDL\r\n", b"RETR 1\r\n"],
    }[name]

    def come_and_go() -> None:
        client = fed.served.connect()
        for line in lines:
            assert client.send(line)
        client.lose()
        if isinstance(fed, Imap):
            fed.served.clients.clear()

    assert growth(come_and_go) < ROUNDS // 2

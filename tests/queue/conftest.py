"""A queue in a directory, with a clock that can be set, and a runner."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from maildrop.decisions.recorder import Notebook
from maildrop.decisions.trace import TraceIds
from maildrop.durable import Content, Disk
from maildrop.queue.entry import Entry, Kind, Options, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.queue.runner import InThread, Limits, Runner
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool

T = TypeVar("T")

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"

OpenSpool = Callable[..., Spool]


def entry(entry_id: str = "ID1", *addresses: str, **options: object) -> Entry:
    """An entry for some recipients, each at the host of its address."""
    waiting = [
        Waiting(number, address, "smtp", address.rpartition("@")[2])
        for number, address in enumerate(addresses or ("a@far.example",))
    ]
    return Entry(
        entry_id,
        "sender@example.org",
        1000.0,
        0,
        waiting,
        Options(**options),  # type: ignore[arg-type]
        next=1000.0,
    )


def add(spool: Spool, *entries: Entry, message: bytes = MESSAGE) -> None:
    for each in entries:
        spool.add(each, Content.of(message))


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(1000.0)
    return clock


@pytest.fixture
def open_spool(tmp_path: Path, clock: Clock) -> OpenSpool:
    """Opens the queue, as another process would."""

    def opened(disk: Disk | None = None) -> Spool:
        directory = str(tmp_path / "queue")
        spool = Spool(directory, disk or Disk(), clock.seconds, str(tmp_path))
        spool.prepare()
        return spool

    return opened


@pytest.fixture
def spool(open_spool: OpenSpool) -> Spool:
    return open_spool()


SCHEDULE = Schedule(waits=(100,), give_up=1000.0, warn=500.0)


async def at_once(job: Callable[[], T]) -> T:
    return job()


class Far:
    """A relay that does as it is told, recipient by recipient."""

    def __init__(self) -> None:
        self.says: dict[str, Kind] = {}
        self.asked: list[tuple[str, ...]] = []
        self.seen: list[bytes] = []
        self.senders: list[str] = []
        self.error: Exception | None = None
        self.unreachable = ""
        self.settles = 0
        self.more: list[Waiting] = []
        self.waits: list[Deferred[None]] | None = None

    async def relay(self, job: Job) -> Attempt:
        self.asked.append(tuple(each.address for each in job.recipients))
        self.senders.append(job.sender)
        if self.waits is not None:
            turn: Deferred[None] = Deferred()
            self.waits.append(turn)
            await turn
        results = [
            Result(
                each.number,
                self.says.get(each.address, Kind.DELIVERED),
                Status("2.0.0", "said so", "mx.example.net"),
            )
            for each in job.recipients
        ]
        if self.settles:
            await job.settled(results[: self.settles])
        if self.error is not None:
            raise self.error
        self.seen.append(bytes(job.content().octets()))
        return Attempt(results[self.settles :], self.more, self.unreachable)


class Letters:
    """Reports: one line for each recipient."""

    def report(
        self, entry: Entry, recipients: Sequence[Waiting], content: Content
    ) -> tuple[Entry, Content] | None:
        wanted = [
            f"{each.address} {each.kind.value}\r\n"
            for each in recipients
            if self.tells(entry, each)
        ]
        if not wanted or not entry.sender:
            return None
        to = Waiting(0, entry.sender, "home", "")
        options = Options(report=entry.id)
        report = Entry("", "", entry.arrived, 0, [to], options)
        return report, Content.of("".join(wanted).encode())

    def tells(self, entry: Entry, recipient: Waiting) -> bool:
        del entry
        return recipient.kind in {Kind.FAILED, Kind.WAITING}


class Queue:
    """A runner with two relays: ``smtp`` and ``home``."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self.spool, self.clock = spool, clock
        self.smtp, self.home = Far(), Far()
        self.notebook = Notebook(TraceIds(clock.seconds, bytes), clock.seconds)
        self.runner = self.opened()

    def opened(
        self,
        in_thread: InThread[Any] = at_once,
        noting: InThread[Any] | None = None,
        **limits: int,
    ) -> Runner:
        relays = {"smtp": self.smtp, "home": self.home}
        return Runner(
            self.spool,
            relays,
            Letters(),
            self.clock,
            in_thread,
            SCHEDULE,
            Limits(**limits),
            self.notebook,
            noting,
        )

    def start(self, runner: Runner | None = None) -> None:
        done = Deferred.fromCoroutine((runner or self.runner).start())
        assert done.called

    @property
    def ids(self) -> list[str]:
        return sorted(each.id for each in self.spool.list())


@pytest.fixture
def queue(spool: Spool, clock: Clock) -> Queue:
    return Queue(spool, clock)

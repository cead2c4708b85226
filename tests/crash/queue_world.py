"""A queue and the accounts that it delivers to, on a machine that stops and fails.

In this file:
    World      what is on disk, and what other hosts have
    Process    a server's part of it: agent, queue, relays
    Errand     something that is done with the queue
    ERRANDS    the table

Addresses of ``example.org`` are ours: ``ann`` and ``bob`` get mail, ``sam`` sends it,
``team`` is ann, bob and an address elsewhere.  Other hosts take mail for ``far@``,
never for ``never@``, and for ``later@`` never in time.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from maildrop.delivery.actions import Recipient, ToAddress, ToMailbox
from maildrop.delivery.agent import Agent, Envelope
from maildrop.delivery.local_relay import LocalRelay
from maildrop.delivery.outbox import SpoolOutbox
from maildrop.delivery.placing import Placing
from maildrop.delivery.received import Trace
from maildrop.delivery.reports import Reporter
from maildrop.delivery.routing import Router
from maildrop.durable import Content, Disk
from maildrop.errors import NoSuchUser
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import Store
from maildrop.queue.entry import Entry, Kind, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.queue.runner import Runner
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool
from maildrop.smtp.wire.path import Path as Address, path_of
from tests.crash.boxes import BOXES, Box
from tests.crash.machine import Machine, Stopped

T = TypeVar("T")

USERS: Final = ("ann", "bob", "sam")
ACCOUNTS: Final = {name: Account(name, f"/home/{name}", "memory:") for name in USERS}
MESSAGE: Final = b"Subject: the message\r\n\r\nbody\r\n"
SCHEDULE: Final = Schedule(waits=(300,), give_up=3600.0, warn=1000.0)
#: Seconds after which everything is over.
LONG: Final = 20_000.0


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


@dataclass
class World:
    """What is on disk, and what other hosts have.

    Attributes:
        root: The directory that holds all of it.
        format_name: Of the accounts.
        outside: Recipients elsewhere, and how often they got the message.
        taken: The client was told that the message was taken.
        tries: How often it sent it.
        now: The time.
    """

    root: Path
    format_name: str
    outside: Counter[str] = field(default_factory=Counter)
    taken: bool = False
    tries: int = 0
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.boxes: dict[str, Box] = {
            name: BOXES[self.format_name](self.root / name) for name in USERS
        }

    def bury(self) -> None:
        """The process that had it open is no more."""
        for box in self.boxes.values():
            box.bury()

    def inbox(self, user: str) -> list[bytes]:
        """What a new process finds there."""
        store = self.boxes[user].store(Machine())
        inbox = store.open("INBOX")
        try:
            inbox.refresh()
            found = inbox.read_many(list(inbox.table.uids))
            return [octets or b"" for octets in found]
        finally:
            inbox.close()
            store.close()

    def left(self) -> list[str]:
        """What is in the queue, or was put aside."""
        return [
            f"{each}/{path.name}"
            for each in ("entries", "corrupt")
            for path in (self.root / "queue" / each).iterdir()
        ]


class Known(Router):
    """Ours are ann, bob, sam, and team."""

    def __init__(self) -> None:
        self.asked: list[Address] = []

    def is_local(self, domain: str) -> bool:
        return domain in {"", "example.org"}

    async def route(
        self,
        path: Address,
        *,
        sender: Address | None = None,
        outward: bool = False,
        whole: bool = False,
    ) -> Recipient:
        del sender, outward, whole
        self.asked.append(path)
        if path.local == "team":
            never = ToAddress(Address("never", "far.example"))
            ours = (ToMailbox(ACCOUNTS["ann"]), ToMailbox(ACCOUNTS["bob"]))
            return Recipient(path, (*ours, never))
        if path.local not in ACCOUNTS:
            raise NoSuchUser(f"nobody is called {path}")
        return Recipient(path, (ToMailbox(ACCOUNTS[path.local]),))


class Far:
    """The relay to other hosts."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def relay(self, job: Job) -> Attempt:
        results = []
        for each in job.recipients:
            local = each.address.partition("@")[0]
            kind, code = Kind.PASSED_ON, "2.0.0"
            if local == "never":
                kind, code = Kind.FAILED, "5.1.1"
            elif local == "later":
                kind, code = Kind.WAITING, "4.4.1"
            else:
                self._world.outside[each.address] += 1
            results.append(Result(each.number, kind, Status(code, "it said so")))
        return Attempt(results)


class Process:
    """A server's part of it.

    Args:
        world: What is on disk.
        machine: The system calls.
        boot: Which start of the machine it is.
    """

    def __init__(self, world: World, machine: Machine, boot: bytes = b"B") -> None:
        self.world = world
        self.machine = machine
        self.clock = Clock()
        self.clock.advance(world.now)
        self.spool = Spool(
            str(world.root / "queue"),
            Disk(machine),
            self.clock.seconds,
            str(world.root),
        )
        self.spool.prepare()

        def opened(account: Account) -> Store:
            return world.boxes[account.name].store(machine, boot)

        self.post = Post(opened, at_once, lambda _: nullcontext(), Watches())
        router = Known()
        self.placing = Placing(router.is_local)
        local = LocalRelay(
            self.post,
            router,
            self.placing,
            ACCOUNTS.get,
            self.spool.holds,
            at_once,
        )
        self.runner = Runner(
            self.spool,
            {"local": local, "smtp": Far(world)},
            Reporter(
                "mx.example.org",
                self.clock.seconds,
                self.placing.address,
                give_up=SCHEDULE.give_up,
            ),
            self.clock,
            at_once,
            SCHEDULE,
        )
        self.agent = Agent(
            self.post,
            SpoolOutbox(self.spool, at_once, self.runner.added),
            self.placing,
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that waits for nothing; ``Stopped`` and errors come out."""
        done: list[T] = []
        failed: list[BaseException] = []
        deferred = Deferred.fromCoroutine(work)
        deferred.addCallbacks(done.append, lambda why: failed.append(why.value))
        if self.machine.stopped:
            raise Stopped
        if failed:
            raise failed[0]
        return done[0]

    def serve(self, seconds: float = LONG) -> None:
        """Try what is due, until nothing waits or so much time has gone by."""
        self.run(self.runner.start())
        end = self.clock.seconds() + seconds
        while not self.machine.stopped and self.clock.seconds() < end:
            calls = self.clock.getDelayedCalls()
            if not calls:
                break
            wait = min(call.getTime() for call in calls) - self.clock.seconds()
            self.clock.advance(max(wait, 0.0) + 0.001)
            for box in self.world.boxes.values():
                box.clock.pass_by(wait)
        self.world.now = self.clock.seconds()

    def end(self) -> None:
        """The process ends, orderly or not."""
        self.runner.stop()
        with contextlib.suppress(BaseException):
            self.run(self.post.close())


def _place(process: Process, *addresses: str) -> list[Waiting]:
    waiting = [process.placing.address(address) for address in addresses]
    for number, each in enumerate(waiting):
        each.number = number
    return waiting


def _put(process: Process, *addresses: str) -> None:
    """An entry comes; who puts it there is told."""
    world = process.world
    if world.taken:
        return
    world.tries += 1  # who gets no answer sends it again: it has another id
    entry_id = f"ID{world.tries}"
    entry = Entry(
        entry_id,
        "sam@example.org",
        world.now,
        0,
        _place(process, *addresses),
        next=world.now,
    )
    process.spool.add(entry, Content.of(MESSAGE))
    world.taken = True


def _deliver(process: Process, *addresses: str) -> None:
    """A message comes over SMTP, for some of ours and others."""
    world = process.world
    if world.taken:
        return
    router = Known()
    recipients = []
    for address in addresses:
        path = path_of(address)
        if router.is_local(path.domain):
            recipients.append(process.run(router.route(path)))
        else:
            recipients.append(Recipient(path, (ToAddress(path),)))
    world.tries += 1
    trace_id = f"ID{world.tries}"
    trace = Trace(trace_id, "x", "192.0.2.7", "ESMTP", "", "mx.example.org", world.now)
    envelope = Envelope(path_of("sam@example.org"), trace)
    outcomes = process.run(
        process.agent.deliver(envelope, Content.of(MESSAGE), recipients, together=True)
    )
    errors = [each.error for each in outcomes if each.error is not None]
    if errors:
        raise errors[0]
    world.taken = True


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that is done with the queue.

    Attributes:
        name: What the table calls it.
        begin: Hands the message in.
        addresses: For whom.
        ours: Users that get the message.
        failed: Addresses that the sender hears of as failed.
        late: Addresses that the sender hears of as late.
        before: The message is in the queue already when things go wrong.
    """

    name: str
    begin: Callable[..., None]
    addresses: tuple[str, ...]
    ours: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    before: bool = True


NEVER: Final = "never@far.example"
LATER: Final = "later@far.example"

ERRANDS: Final = (
    Errand("queue: add", _put, ("ann@example.org",), ("ann",), before=False),
    Errand(
        "queue: take over by SMTP",
        _deliver,
        ("ann@example.org", "bob@example.org", "far@far.example", NEVER),
        ("ann", "bob"),
        (NEVER,),
        before=False,
    ),
    Errand(
        "queue: deliver to two",
        _put,
        ("ann@example.org", "bob@example.org"),
        ("ann", "bob"),
    ),
    Errand("queue: report", _put, ("ann@example.org", NEVER), ("ann",), (NEVER,)),
    Errand(
        "queue: expand, and report",
        _put,
        ("team@example.org", "nobody@example.org"),
        ("ann", "bob"),
        (NEVER, "nobody@example.org"),
    ),
    Errand(
        "queue: warn, and give up",
        _put,
        ("ann@example.org", LATER),
        ("ann",),
        (LATER,),
        (LATER,),
    ),
)

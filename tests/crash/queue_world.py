"""A queue and the accounts that it delivers to, on a machine that stops and fails.

In this file:
    World      what is on disk, and what other hosts have
    Sending    something that left the host
    Process    a server's part of it: agent, queue, relays, drop directory

Addresses of ``example.org`` are ours: ``ann`` and ``bob`` get mail, ``sam`` sends it,
``team`` is ann, bob and an address elsewhere, ``list`` two addresses elsewhere whose
errors go to ann, ``files`` a Maildir, an mbox and a command.  Other hosts take mail for
``far@`` and ``from@``, for ``soon@`` after a while, for ``plain@`` without a promise of
reports, never for ``never@``, and for ``later@`` never in time.
"""

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from maildrop.app.dropbox import Dropbox
from maildrop.delivery.actions import (
    Action,
    Recipient,
    ToAddress,
    ToCommand,
    ToFile,
    ToMailbox,
)
from maildrop.delivery.agent import Agent
from maildrop.delivery.child import Children, Ending
from maildrop.delivery.commands import Commands
from maildrop.delivery.dropped import Submitter
from maildrop.delivery.files import Files
from maildrop.delivery.local_relay import LocalRelay
from maildrop.delivery.outbox import SpoolOutbox
from maildrop.delivery.placing import Placing
from maildrop.delivery.reports import Reporter
from maildrop.delivery.routing import Router
from maildrop.durable import Disk
from maildrop.errors import NoSuchUser
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import Store
from maildrop.queue.adopting import Adopter
from maildrop.queue.entry import Kind, Result, Status
from maildrop.queue.relay import Attempt, Job
from maildrop.queue.runner import Runner
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool
from maildrop.smtp.wire.path import Path as Address
from maildrop.storage.plain.deposit import Deposits
from tests.crash.boxes import BOXES, Box
from tests.crash.machine import Machine, Stopped

T = TypeVar("T")

USERS: Final = ("ann", "bob", "sam")
ACCOUNTS: Final = {name: Account(name, f"/home/{name}", "memory:") for name in USERS}
MESSAGE: Final = b"Subject: the message\r\n\r\nbody\r\n"
SCHEDULE: Final = Schedule(waits=(300,), give_up=3600.0, warn=1000.0)
#: Seconds after which everything is over, and after which ``soon@`` takes mail.
LONG: Final = 20_000.0
SOON: Final = 400.0
#: What the command is called among those that got the message.
COMMAND: Final = "|command"


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


class Watches:
    """Nothing changes by other hands."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


@dataclass(frozen=True, slots=True)
class Sending:
    """Something that left the host.

    Attributes:
        to: Who has it.
        machine: The process that sent it.
        at: Calls that it had made by then.
    """

    to: str
    machine: Machine
    at: int

    def noted(self) -> bool:
        """Whether that was on disk before the process stopped, if it did."""
        after = self.machine.calls[self.at :]
        return not self.machine.stopped or "fdatasync" in after[:-1]


class World:
    """What is on disk, and what other hosts have.

    Args:
        root: The directory that holds all of it.
        format_name: Of the accounts.
        users: Those with an account.

    Attributes:
        sent: What left the host.
        taken: The client was told that the message was taken.
        tries: How often it sent it.
        now: The time.
    """

    def __init__(self, root: Path, format_name: str, users: Iterable[str]) -> None:
        self.root = root
        self.format_name = format_name
        self.boxes: dict[str, Box] = {
            name: BOXES[format_name](root / name) for name in users
        }
        self.sent: list[Sending] = []
        self.taken = False
        self.tries = 0
        self.now = time.time()

    def copy_to(self, root: Path) -> "World":
        """The same elsewhere."""
        shutil.copytree(self.root, root)
        copy = World(root, self.format_name, self.boxes)
        copy.taken, copy.tries, copy.now = self.taken, self.tries, self.now
        return copy

    @property
    def queue(self) -> str:
        """The directory of the queue."""
        return str(self.root / "queue")

    @property
    def files(self) -> Path:
        """Where ``files@`` wants its mail."""
        return self.root / "ann" / "files"

    def spool(self) -> Spool:
        """The queue, as another process has it."""
        return Spool(self.queue, Disk(), lambda: self.now, str(self.root))

    def bury(self) -> None:
        """The process that had it open is no more."""
        for box in self.boxes.values():
            box.bury()

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        for box in self.boxes.values():
            box.clock.pass_by(seconds)

    def restart(self) -> None:
        """The machine comes up again."""
        self.pass_by(600)
        for box in self.boxes.values():
            box.started = time.time() + box.clock()

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

    def in_files(self) -> Counter[str]:
        """How often each of the files of ``files@`` has the message."""
        maildir, mbox = self.files / "box", self.files / "mbox"
        found: Counter[str] = Counter()
        for part in ("new", "cur"):
            if (maildir / part).is_dir():
                found["box/"] += len(list((maildir / part).iterdir()))
        if mbox.exists():
            found["mbox"] += mbox.read_bytes().count(b"Subject: the message")
        return found

    def left(self) -> list[str]:
        """What is in the queue, was put aside, or waits to be taken over."""
        return [
            f"{each}/{path.name}"
            for each in ("entries", "corrupt", "drop")
            if (self.root / "queue" / each).is_dir()
            for path in (self.root / "queue" / each).iterdir()
            if not path.name.endswith(".new")
        ]


class Known(Router):
    """Says what addresses mean."""

    def __init__(self, world: World) -> None:
        self._world = world

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
        return Recipient(path, self.actions(path))

    def actions(self, path: Address) -> tuple[Action, ...]:
        """What an address means, one of others too."""
        ann, bob = ACCOUNTS["ann"], ACCOUNTS["bob"]
        if not self.is_local(path.domain):
            return (ToAddress(path),)
        match path.local:
            case "team":
                never = ToAddress(Address("never", "far.example"))
                return (ToMailbox(ann), ToMailbox(bob), never)
            case "list":
                owner = Address("ann", "example.org")
                return tuple(
                    ToAddress(Address(name, "far.example"), owner)
                    for name in ("far", "never")
                )
            case "files":
                files = self._world.files
                return (
                    ToFile(f"{files}/box/", ann),
                    ToFile(f"{files}/mbox", ann),
                    ToCommand("/bin/command", ann),
                )
        if path.local not in ACCOUNTS:
            raise NoSuchUser(f"nobody is called {path}")
        return (ToMailbox(ACCOUNTS[path.local]),)


class Far:
    """The relay to other hosts."""

    def __init__(self, world: World, machine: Machine, clock: Clock) -> None:
        self._world, self._machine, self._clock = world, machine, clock

    async def relay(self, job: Job) -> Attempt:
        results = []
        for each in job.recipients:
            kind, code = self._taken(each.address, job.entry.arrived)
            if kind in {Kind.PASSED_ON, Kind.RELAYED}:
                at = len(self._machine.calls)
                self._world.sent.append(Sending(each.address, self._machine, at))
            results.append(Result(each.number, kind, Status(code, "it said so")))
        return Attempt(results)

    def _taken(self, address: str, arrived: float) -> tuple[Kind, str]:
        soon = self._clock.seconds() >= arrived + SOON
        match address.partition("@")[0]:
            case "never":
                return Kind.FAILED, "5.1.1"
            case "later":
                return Kind.WAITING, "4.4.1"
            case "soon" if not soon:
                return Kind.WAITING, "4.4.1"
            case "plain":
                return Kind.RELAYED, "2.0.0"
        return Kind.PASSED_ON, "2.0.0"


class Programs(Children):
    """Programs that do what they are to do."""

    def __init__(self, world: World, machine: Machine) -> None:
        super().__init__(lambda _: nullcontext(), lambda _: None)
        self._world, self._machine = world, machine

    def run(self, *_: object, **__: object) -> Ending:
        at = len(self._machine.calls)
        self._world.sent.append(Sending(COMMAND, self._machine, at))
        return Ending(0)


class Process:
    """A server's part of it.

    Args:
        world: What is on disk.
        machine: The system calls.
        boot: Which start of the machine it is.
        drops: Local programs hand in mail.
    """

    def __init__(
        self, world: World, machine: Machine, boot: bytes = b"B", *, drops: bool = False
    ) -> None:
        self.world = world
        self.machine = machine
        self.clock = Clock()
        self.clock.advance(world.now)
        self.disk = Disk(machine)
        self.spool = Spool(world.queue, self.disk, self.clock.seconds, str(world.root))
        self.spool.prepare()

        def opened(account: Account) -> Store:
            return world.boxes[account.name].store(machine, boot)

        self.post = Post(opened, at_once, lambda _: nullcontext(), Watches())
        self.router = Known(world)
        self.placing = Placing(self.router.is_local)
        self.runner = Runner(
            self.spool,
            self._relays(boot),
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
        outbox = SpoolOutbox(self.spool, at_once, self.runner.added)
        self.agent = Agent(self.post, outbox, self.placing)
        self.dropbox = self._dropbox() if drops else None

    def _relays(self, boot: bytes) -> dict[str, Any]:
        world, machine = self.world, self.machine
        local = LocalRelay(
            self.post,
            self.router,
            self.placing,
            ACCOUNTS.get,
            self.spool.holds,
            at_once,
        )
        deposits = Deposits(lambda: world.boxes["ann"].host(machine, boot))
        files = Files(
            deposits, lambda _: nullcontext(), lambda _: "", ACCOUNTS.get, at_once
        )
        commands = Commands(Programs(world, machine), ACCOUNTS.get, at_once)
        return {
            "local": local,
            "smtp": Far(world, machine, self.clock),
            "file": files,
            "command": commands,
        }

    def _dropbox(self) -> Dropbox:
        submitter = Submitter(
            "mx.example.org",
            "example.org",
            self.router.is_local,
            self.placing.address,
            self.clock.seconds,
        )
        adopter = Adopter(
            self.world.queue, self.spool, submitter, self.disk, self.clock.seconds
        )
        adopter.prepare()
        return Dropbox(adopter, at_once, Watches(), self.runner.added, self.clock)

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

    def start(self) -> None:
        """Begin to serve, in the order in which a server does."""
        if self.dropbox is not None:
            self.run(self.dropbox.start())
        self.run(self.runner.start())

    def serve(self, each: Callable[[float], None] = lambda _: None) -> None:
        """Try what is due, until nothing waits or a long time has gone by.

        Args:
            each: Called with the time whenever something was.
        """
        end = self.clock.seconds() + LONG
        while not self.machine.stopped:
            calls = self.clock.getDelayedCalls()
            if not calls or self.clock.seconds() > end:
                break
            due = min(call.getTime() for call in calls)
            wait = max(due - self.clock.seconds(), 0.0) + 0.001
            self.clock.advance(wait)
            self.world.pass_by(wait)
            each(self.clock.seconds())

    def end(self) -> None:
        """The process ends, orderly or not."""
        if self.dropbox is not None:
            self.dropbox.stop()
        self.runner.stop()
        with contextlib.suppress(BaseException):
            self.run(self.post.close())

"""What is done with the queue while the machine stops and fails, and what comes of it.

In this file:
    Errand     something that is done with the queue
    ERRANDS    the table
    BESIDE     what a server is at while an administrator acts
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.delivery.actions import Recipient
from maildrop.delivery.agent import Envelope
from maildrop.delivery.received import Trace
from maildrop.durable import Content
from maildrop.queue import handling
from maildrop.queue.drop import Dropped, put
from maildrop.queue.entry import Entry
from maildrop.queue.turns import bring_forward
from maildrop.smtp.wire.path import path_of
from tests.crash.queue_world import COMMAND, MESSAGE, USERS, Process

ANN: Final = "ann@example.org"
BOB: Final = "bob@example.org"
SAM: Final = "sam@example.org"
FAR: Final = "far@far.example"
FROM: Final = "from@far.example"
NEVER: Final = "never@far.example"
LATER: Final = "later@far.example"
SOON: Final = "soon@far.example"
PLAIN: Final = "plain@far.example"
#: The id of the message, at the first try.
FIRST: Final = "ID1"


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that is done with the queue.

    Attributes:
        name: What the table calls it.
        begin: Hands the message in.
        addresses: For whom.
        ours: Users that get the message.
        elsewhere: Addresses elsewhere that get it, or the report.
        told: Who hears of whom what: user, address, action of RFC 3464.
        in_files: ``files@`` is among those for whom it is.
        sender: Whose message it is.
        notify: What the sender wants to hear.
        before: The message is in the queue already when things go wrong.
        act: What an administrator does then.
        drops: Local programs hand in mail.
    """

    name: str
    begin: Callable[[Process, "Errand"], None]
    addresses: tuple[str, ...]
    ours: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    told: tuple[tuple[str, str, str], ...] = ()
    in_files: bool = False
    sender: str = SAM
    notify: tuple[str, ...] = ()
    before: bool = True
    act: Callable[[Process], None] | None = None
    drops: bool = False

    @property
    def users(self) -> list[str]:
        """Those with an account."""
        involved = {*self.ours, "sam", *(who for who, _, _ in self.told)}
        involved |= {"ann"} if self.in_files or self.drops else set()
        involved |= {each.partition("@")[0] for each in self.addresses}
        return [name for name in USERS if name in involved]

    def do(self, process: Process) -> None:
        """Do it, unless the message was taken already; then the administrator acts."""
        if not process.world.taken:
            process.world.tries += 1  # who gets no answer sends it again
            self.begin(process, self)
            process.world.taken = True
        if self.act is not None:
            self.act(process)


def _id(process: Process) -> str:
    return f"ID{process.world.tries}"


def _put(process: Process, errand: Errand) -> None:
    """An entry comes."""
    waiting = [process.placing.address(address) for address in errand.addresses]
    for number, each in enumerate(waiting):
        each.number = number
        each.notify = errand.notify
    now = process.world.now
    entry = Entry(_id(process), errand.sender, now, 0, waiting, next=now)
    process.spool.add(entry, Content.of(MESSAGE))


def _deliver(process: Process, errand: Errand) -> None:
    """A message comes over SMTP."""
    recipients = []
    for address in errand.addresses:
        path = path_of(address)
        actions = process.router.actions(path)
        recipients.append(Recipient(path, actions, notify=errand.notify))
    now = process.world.now
    trace = Trace(_id(process), "x", "192.0.2.7", "ESMTP", "", "mx.example.org", now)
    outcomes = process.run(
        process.agent.deliver(
            Envelope(path_of(errand.sender), trace),
            Content.of(MESSAGE),
            recipients,
            together=True,
        )
    )
    for each in outcomes:
        if each.error is not None:
            raise each.error


def _drop(process: Process, errand: Errand) -> None:
    """A local program hands it in."""
    put(
        f"{process.world.queue}/drop",
        Dropped(errand.addresses, errand.sender),
        MESSAGE,
        process.disk,
        lambda count: bytes([process.world.tries]) * count,
    )


def _hold_and_release(process: Process) -> None:
    handling.hold(process.spool, FIRST)
    handling.release(process.spool, FIRST, process.world.now)


def _give_back(process: Process) -> None:
    handling.give_back(process.spool, FIRST, process.world.now)


def _delete(process: Process) -> None:
    handling.delete(process.spool, FIRST)


def _flush(process: Process) -> None:
    bring_forward(process.spool, lambda _: True, process.world.now)


def _failed(*addresses: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(("sam", address, "failed") for address in addresses)


ERRANDS: Final = (
    Errand("queue: add", _put, (ANN,), ("ann",), before=False),
    Errand(
        "queue: take over by SMTP",
        _deliver,
        (ANN, BOB, FAR, NEVER),
        ("ann", "bob"),
        (FAR,),
        _failed(NEVER),
        before=False,
    ),
    Errand(
        "queue: take over for a team and a list",
        _deliver,
        ("team@example.org", "list@example.org"),
        ("ann", "bob"),
        (FAR,),
        (*_failed(NEVER), ("ann", NEVER, "failed")),
        before=False,
    ),
    Errand(
        "queue: take over from a program",
        _drop,
        (ANN, FAR, NEVER),
        ("ann",),
        (FAR,),
        _failed(NEVER),
        before=False,
        drops=True,
    ),
    Errand("queue: deliver to two", _put, (ANN, BOB), ("ann", "bob")),
    Errand("queue: report", _put, (ANN, NEVER), ("ann",), (), _failed(NEVER)),
    Errand(
        "queue: report elsewhere", _put, (ANN, NEVER), ("ann",), (FROM,), sender=FROM
    ),
    Errand(
        "queue: expand, and report",
        _put,
        ("team@example.org", "nobody@example.org"),
        ("ann", "bob"),
        (),
        _failed(NEVER, "nobody@example.org"),
    ),
    Errand(
        "queue: expand a list",
        _put,
        ("list@example.org", "nobody@example.org"),
        (),
        (FAR,),
        (*_failed("nobody@example.org"), ("ann", NEVER, "failed")),
    ),
    Errand(
        "queue: wait",
        _put,
        (ANN, FAR, SOON),
        ("ann",),
        (FAR, SOON),
    ),
    Errand(
        "queue: warn, and give up",
        _put,
        (ANN, LATER),
        ("ann",),
        (),
        (*_failed(LATER), ("sam", LATER, "delayed")),
    ),
    Errand(
        "queue: report success",
        _put,
        (ANN, PLAIN, FAR),
        ("ann",),
        (PLAIN, FAR),
        (("sam", ANN, "delivered"), ("sam", PLAIN, "relayed")),
        notify=("SUCCESS",),
    ),
    Errand(
        "queue: files and a command",
        _put,
        ("files@example.org",),
        (),
        (COMMAND,),
        in_files=True,
    ),
    Errand(
        "queue: hold and release",
        _put,
        (ANN, NEVER),
        ("ann",),
        (),
        _failed(NEVER),
        act=_hold_and_release,
    ),
    Errand(
        "queue: give back", _put, (ANN, FAR), (), (), _failed(ANN, FAR), act=_give_back
    ),
    Errand("queue: delete", _put, (ANN, FAR), act=_delete),
    Errand("queue: flush", _put, (ANN, SOON), ("ann",), (SOON,), act=_flush),
)

BESIDE: Final = Errand(
    "queue: beside",
    _put,
    (ANN, FAR, SOON, NEVER),
    ("ann",),
    (FAR, SOON),
    _failed(NEVER),
)

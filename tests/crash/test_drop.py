"""A message in the drop directory, stopped at every call: it is sent once.

From the program that hands it in to the entry that is done with: what was acknowledged
(``put`` came back) is tried under one id, whatever stops; what was not, under at most
one.  A delivery of the same id twice is another matter: the store knows its key.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.queue.adopting import Adopter, Made
from maildrop.queue.drop import Dropped, put
from maildrop.queue.entry import Entry, Kind, Result, Status, Waiting
from maildrop.queue.spool import Spool
from tests.crash.machine import Machine, Plan, Stopped, Trouble
from tests.crash.unsynced import Cut, Unsynced

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"
DONE = Status("2.0.0", "delivered")


class Submitted:
    """Makes the entries."""

    def entry(self, entry_id: str, dropped: Dropped, uid: int, message: bytes) -> Made:
        del uid
        waiting = [Waiting(0, dropped.recipients[0], "local", "")]
        return Made(Entry(entry_id, "", time.time(), len(message), waiting))


@dataclass
class Host:
    """A queue on a machine, and what came out of it.

    Attributes:
        directory: Of the queue.
        acknowledged: The program that sent has ended with 0.
        sent: The ids under which the message was sent.
    """

    directory: Path
    acknowledged: bool = False
    sent: set[str] = field(default_factory=set)

    def start(self, machine: Machine) -> "Server":
        disk = Disk(machine)
        spool = Spool(str(self.directory), disk, time.time, str(self.directory))
        spool.prepare()
        adopter = Adopter(str(self.directory), spool, Submitted(), disk, time.time)
        adopter.prepare()
        return Server(self, disk, spool, adopter)


@dataclass
class Server:
    """A process on it."""

    host: Host
    disk: Disk
    spool: Spool
    adopter: Adopter

    def hand_in(self) -> None:
        drop = str(self.host.directory / "drop")
        put(drop, Dropped(("bob",)), MESSAGE, self.disk, bytes)
        self.host.acknowledged = True

    def work(self) -> None:
        """What the server does from its start on."""
        self.adopter.adopt()
        for each in list(self.spool.list()):
            taken = self.spool.take(each.id)
            assert taken is not None
            try:
                if taken.entry.waiting():
                    assert taken.content().octets() == MESSAGE
                    self.host.sent.add(each.id)
                    taken.note(results=[Result(0, Kind.DELIVERED, DONE)])
                if not taken.entry.done():
                    taken.note(reported=[0])
                taken.remove()
            finally:
                taken.let_go()


def stopped_everywhere(
    directory: Path, trouble: Trouble, which: Cut | None
) -> Iterator[Host]:
    """The host after each stop."""
    for at in itertools.count():
        spare = directory / f"spare-{at}"
        spare.mkdir()
        host = Host(directory / f"queue-{at}")
        unsynced = Unsynced(spare) if which is not None else None
        machine = Machine(Plan(trouble, at), unsynced)
        server = host.start(machine)
        if unsynced is not None:
            for place in ("new", "entries", "corrupt", "drop"):
                server.disk.synchronize_directory(str(host.directory / place))
            server.disk.synchronize_directory(str(host.directory))
            server.disk.synchronize_directory(str(directory))
        machine.arm()
        try:
            server.hand_in()
            server.work()
        except Stopped:
            assert machine.stopped
        if unsynced is not None and which is not None:
            unsynced.cut(which, at)
            unsynced.close()
        yield host
        if not machine.stopped:
            return


def sent_once(hosts: Iterator[Host]) -> int:
    stops = 0
    for host in hosts:
        stops += 1
        for _ in range(2):
            host.start(Machine()).work()
        assert len(host.sent) == 1 or (not host.acknowledged and not host.sent)
        assert not list((host.directory / "entries").iterdir())
        assert not list((host.directory / "drop").glob("*.mail"))
        assert not list((host.directory / "corrupt").iterdir())
    return stops


@pytest.mark.parametrize("trouble", [Trouble.KILL, Trouble.TORN])
def test_killed_anywhere_it_is_sent_once(tmp_path: Path, trouble: Trouble) -> None:
    assert sent_once(stopped_everywhere(tmp_path, trouble, None)) > 20


@pytest.mark.parametrize("which", Cut)
def test_without_power_anywhere_it_is_sent_once(tmp_path: Path, which: Cut) -> None:
    assert sent_once(stopped_everywhere(tmp_path, Trouble.KILL, which)) > 20

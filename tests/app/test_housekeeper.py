"""The walk over all users while the server serves."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from maildrop.app.directory import open_users
from maildrop.app.housekeeper import FIRST, LOOK, Housekeeper
from maildrop.app.privileges import OwnRights
from maildrop.app.schema import Configuration, Users
from maildrop.app.schema_store import Expire, Housekeeping
from maildrop.app.stores import Stores
from maildrop.app.threads import Pool
from maildrop.durable import Content, Disk
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import NewMessage, Store

T = TypeVar("T")
DAY = 86400.0


class AtOnce(Pool):
    """Does a job when it is given."""

    def __init__(self) -> None:
        self.jobs = 0

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        self.jobs += 1
        return execute(job)

    def start(self) -> None:
        """There is no thread."""

    def stop(self) -> None:
        """There is no thread."""


class House:
    """Two users with mail and one without, and a server's housekeeper."""

    def __init__(self, state: Path) -> None:
        state.mkdir()
        passwd = state / "passwd"
        passwd.write_text("ann:x\nbob:x\ncy:x\n")
        self.configuration = Configuration(
            hostname="mail.example.org",
            state=str(state),
            users=Users(str(passwd), f"{state}/%u"),
            housekeeping=Housekeeping(DAY, 100),
            expire=(Expire("INBOX", 0.0),),
        )
        self.clock = Clock()
        self.clock.advance(1_000_000_000.0)
        self.rights = OwnRights(os.geteuid())
        self.stores = Stores(str(state), str(state), self.rights)
        self.users = open_users(self.configuration, self.clock)
        for name in ("ann", "bob"):
            with_mail(self.stores(self.account(name)))

    def account(self, name: str) -> Account:
        user = self.users.lookup(name)
        assert user is not None
        return user.account

    def keeper(self, pool: AtOnce, every: float = DAY) -> Housekeeper:
        """A process of the server."""
        housekeeping = replace(self.configuration.housekeeping, every=every)
        return Housekeeper(
            replace(self.configuration, housekeeping=housekeeping),
            self.users,
            self.stores.has_mail,
            self.stores,
            self.rights.as_owner,
            self.clock,
            pool,
            Disk(),
        )

    def messages(self, name: str) -> int:
        inbox = self.stores(self.account(name)).open("INBOX")
        try:
            return len(inbox.table)
        finally:
            inbox.close()


def with_mail(store: Store) -> None:
    inbox = store.open("INBOX")
    inbox.publish(inbox.stage([NewMessage(Content.of(b"Subject: x\r\n\r\n"))]), None)
    inbox.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "state")


def test_every_user_with_mail_is_looked_after(house: House) -> None:
    pool = AtOnce()
    house.keeper(pool).start()
    house.clock.advance(FIRST - 1)
    assert pool.jobs == 0
    with capturedLogs() as logs:
        house.clock.advance(1)
    assert (house.messages("ann"), house.messages("bob"), pool.jobs) == (0, 0, 3)
    assert logs[-1]["expired"] == 2
    assert not Path(house.account("cy").home, "Maildir").exists()


def test_the_next_walk_is_due_after_the_time_set(house: House) -> None:
    pool = AtOnce()
    house.keeper(pool).start()
    house.clock.advance(FIRST)
    house.clock.pump([LOOK] * 100)
    assert pool.jobs == 3
    house.clock.pump([LOOK] * 50)
    assert pool.jobs == 6


def test_of_several_processes_one_walks(house: House) -> None:
    first, second = AtOnce(), AtOnce()
    house.keeper(first).start()
    house.keeper(second).start()
    house.clock.advance(FIRST)
    assert (first.jobs, second.jobs) == (3, 0)


def test_a_restart_does_not_make_it_walk_again(house: House) -> None:
    first, second = AtOnce(), AtOnce()
    house.keeper(first).start()
    house.clock.advance(FIRST)
    house.keeper(second).start()
    house.clock.advance(FIRST)
    assert (first.jobs, second.jobs) == (3, 0)


def test_it_is_left_to_the_administrator_where_that_is_wanted(house: House) -> None:
    pool = AtOnce()
    house.keeper(pool, every=0.0).start()
    house.clock.pump([LOOK] * 300)
    assert pool.jobs == 0


def test_it_ends_between_two_pieces_of_work(house: House) -> None:
    pool = AtOnce()
    keeper = house.keeper(pool)
    keeper.start()
    house.clock.advance(FIRST - 1)
    keeper.stop()
    house.clock.advance(LOOK * 2)
    assert pool.jobs == 0


def test_a_user_whose_mail_cannot_be_reached_holds_up_no_other(house: House) -> None:
    inbox = Path(house.account("ann").home, "Maildir/cur")
    for file in (*inbox.iterdir(), *(inbox.parent / "new").iterdir()):
        file.unlink()
    inbox.rmdir()
    inbox.write_text("in the way")
    with capturedLogs() as logs:
        house.keeper(AtOnce()).start()
        house.clock.advance(FIRST)
    assert house.messages("bob") == 0
    assert any(event.get("user") == "ann" for event in logs)

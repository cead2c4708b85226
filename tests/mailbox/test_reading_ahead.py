"""Reading ahead: neighbours asked for in turn come out of one call of the store."""

from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import succeed

from maildrop.durable import Content
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.reading_ahead import ReadingAhead
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
SIZE = 100


class Watches:
    """Nothing changes."""

    def watch(self, paths: Sequence[str], changed: object) -> Any:  # noqa: ANN401
        raise AssertionError("nobody listens")


def now(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


def octets(uid: int) -> bytes:
    return b"%d".ljust(SIZE, b".") % uid


class Reads:
    """A mailbox of 40 messages, and the calls made on its store."""

    def __init__(self) -> None:
        stores = MemoryStores(lambda: 1000.0)
        post = Post(
            stores, lambda job: succeed(job()), lambda _: nullcontext(), Watches()
        )
        mail = now(post.mail(Account("alice", "/home/alice", "memory:")))
        self.mailbox: Mailbox = now(mail.open("INBOX"))
        messages = [NewMessage(Content.of(octets(uid))) for uid in range(1, 41)]
        now(self.mailbox.append(messages))
        self.calls: list[list[int]] = []
        read = self.mailbox.stored.read_at_once

        def counted(uids: Sequence[int]) -> list[bytes | None] | None:
            self.calls.append(list(uids))
            return read(uids)

        self.mailbox.stored.read_at_once = counted  # type: ignore[method-assign]


@pytest.fixture
def reads() -> Reads:
    return Reads()


def test_one_message_is_read_alone(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    assert now(reading.read(7)) == octets(7)
    assert reads.calls == [[7]]


def test_neighbours_are_read_together_more_and_more(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    for uid in range(1, 41):
        assert now(reading.read(uid)) == octets(uid)
    assert [len(call) for call in reads.calls] == [1, 4, 16, 16, 3]


def test_neighbours_may_be_asked_for_newest_first(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    for uid in range(40, 0, -1):
        assert now(reading.read(uid)) == octets(uid)
    assert reads.calls[:2] == [[40], [36, 37, 38, 39]]
    assert len(reads.calls) == 5


def test_a_jump_begins_anew(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    for uid in (1, 2, 20, 21):
        assert now(reading.read(uid)) == octets(uid)
    assert reads.calls == [[1], [2, 3, 4, 5], [20], [21, 22, 23, 24]]


def test_no_more_octets_are_held_than_allowed(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox, octets=2 * SIZE)
    for uid in (1, 2):
        now(reading.read(uid))
    assert reads.calls[-1] == [2, 3, 4]


def test_a_message_over_the_limit_is_read_all_the_same(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox, octets=0)
    assert [now(reading.read(uid)) for uid in (1, 2, 3)] == [*map(octets, (1, 2, 3))]
    assert reads.calls == [[1], [2], [3]]


def test_what_is_forgotten_is_read_again(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    for uid in (1, 2):
        now(reading.read(uid))
    reading.forget()
    assert now(reading.read(3)) == octets(3)
    assert reads.calls[-1][0] == 3


def test_a_message_that_is_gone_is_none(reads: Reads) -> None:
    now(reads.mailbox.expunge([2, 3], None))
    reading = ReadingAhead(reads.mailbox)
    assert [now(reading.read(uid)) for uid in (1, 2, 4)] == [octets(1), None, octets(4)]


@given(st.lists(st.integers(1, 41), max_size=30))
def test_in_any_order_each_message_is_what_it_is(uids: list[int]) -> None:
    reading = ReadingAhead(Reads().mailbox)
    for uid in uids:
        assert now(reading.read(uid)) == (octets(uid) if uid < 41 else None)


def test_what_was_read_ahead_can_be_taken_without_waiting(reads: Reads) -> None:
    reading = ReadingAhead(reads.mailbox)
    for uid in (1, 2):
        now(reading.read(uid))
    assert reading.holds
    assert [reading.take(uid) for uid in (3, 3, 9)] == [octets(3), None, None]
    for uid in (4, 5):
        assert reading.take(uid) == octets(uid)
    assert not reading.holds
    now(reading.read(6))
    assert reads.calls[-1] == list(range(6, 22))  # going on in turn

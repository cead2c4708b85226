"""SEARCH over columns, header fields and text (RFC 3501 section 6.4.4)."""

import datetime
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import Deferred, succeed

from maildrop.durable import Content
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.search import cost, search
from maildrop.mailbox.view import View
from maildrop.message import criteria as c
from maildrop.message.criteria import Criterion
from maildrop.message.sequence_set import SequenceSet
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
DAY = 86_400


class Watches:
    """Nothing changes."""

    def watch(self, paths: object, changed: object) -> Any:  # noqa: ANN401
        del paths, changed
        return lambda: None


def at_once(job: Any) -> Deferred[Any]:  # noqa: ANN401
    return succeed(job())


def now(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


def mail(
    subject: str, body: str, date: str = "Thu, 1 Jan 2026 23:30:00 -0500"
) -> bytes:
    return (
        f"Subject: {subject}\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8"
        f"\r\n\r\n{body}\r\n"
    ).encode()


MESSAGES = (
    (mail("Invoice 7", "the garden"), 0, 20_454 * DAY),
    (mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "nothing"), SEEN, 20_454 * DAY + DAY - 1),
    (
        mail("report", "GARDEN Straße", "2 Jan 2026 00:00:00 +0000"),
        FLAGGED,
        20_455 * DAY,
    ),
    (b"From: x\r\n\r\n" + b"long " * 500 + b"\r\n", SEEN | DELETED, 20_460 * DAY),
)


@pytest.fixture
def mailbox() -> Mailbox:
    stores = MemoryStores(lambda: 0.0)
    post = Post(stores, at_once, lambda _: nullcontext(), Watches())
    inbox = now(now(post.mail(Account("a", "/", "memory:"))).open("INBOX"))
    for octets, flags, date in MESSAGES:
        new = NewMessage(Content.of(octets), flags=flags, date=date)
        now(inbox.append([new]))
    now(inbox.change_flags([3], FlagChange(Operation.ADD, 0, ("$Work",)), None))
    return inbox


async def breathe() -> None:
    """Nobody else is waiting."""


def found(mailbox: Mailbox, asked: Criterion, view: View | None = None) -> list[int]:
    return now(search(mailbox, view or mailbox.view(read_only=True), asked, breathe))


def day(number: int) -> datetime.date:
    return datetime.date(2026, 1, number)


CASES: list[tuple[Criterion, list[int]]] = [
    (c.All(), [1, 2, 3, 4]),
    (c.HasFlag(SEEN), [2, 4]),
    (c.Not(c.HasFlag(SEEN)), [1, 3]),
    (c.HasKeyword("$WORK"), [3]),
    (c.HasKeyword("unknown"), []),
    (c.Larger(1000), [4]),
    (c.Smaller(1000), [1, 2, 3]),
    (c.InternalOn(day(1)), [1, 2]),
    (c.InternalBefore(day(2)), [1, 2]),
    (c.InternalSince(day(2)), [3, 4]),
    (c.SentOn(day(1)), [1, 2]),
    (c.SentOn(day(2)), [3]),
    (c.SentSince(day(1)), [1, 2, 3]),
    (c.SentBefore(day(2)), [1, 2]),
    (c.HeaderContains(b"SUBJECT", "invoice"), [1]),
    (c.HeaderContains(b"SUBJECT", "GRÜSSE"), [2]),
    (c.HeaderContains(b"SUBJECT", ""), [1, 2, 3]),
    (c.HeaderContains(b"X-NONE", ""), []),
    (c.BodyContains("garden"), [1, 3]),
    (c.BodyContains("strasse"), [3]),
    (c.BodyContains("invoice"), []),
    (c.TextContains("invoice"), [1]),
    (c.Numbers(SequenceSet.parse(b"2:3,*")), [2, 3, 4]),
    (c.Uids(SequenceSet.parse(b"1,4:9")), [1, 4]),
    (c.And((c.BodyContains("garden"), c.HasFlag(FLAGGED))), [3]),
    (c.Or(c.HasFlag(FLAGGED), c.TextContains("invoice")), [1, 3]),
    (c.Not(c.Or(c.HasFlag(SEEN), c.BodyContains("garden"))), []),
]


@pytest.mark.parametrize(("asked", "expected"), CASES)
def test_what_fits(mailbox: Mailbox, asked: Criterion, expected: list[int]) -> None:
    assert found(mailbox, asked) == expected


@pytest.mark.parametrize(("asked", "expected"), CASES)
def test_messages_expunged_by_others_do_not_fit_and_disturb_nobody(
    mailbox: Mailbox, asked: Criterion, expected: list[int]
) -> None:
    view = mailbox.view(read_only=True)
    now(mailbox.expunge([1], None))
    told = found(mailbox, asked, view)
    assert [uid for uid in told if uid != 1] == [uid for uid in expected if uid != 1]


def test_only_announced_messages_are_searched(mailbox: Mailbox) -> None:
    view = mailbox.view(read_only=True)
    now(mailbox.append([NewMessage(Content.of(mail("new", "garden")))]))
    assert found(mailbox, c.BodyContains("garden"), view) == [1, 3]
    assert found(mailbox, c.All(), view) == [1, 2, 3, 4]


def test_recent_messages_are_those_of_the_session(mailbox: Mailbox) -> None:
    now(mailbox.claim_recent())
    now(mailbox.append([NewMessage(Content.of(mail("new", "x")))]))
    assert found(mailbox, c.Recent()) == [5]


def test_columns_of_many_messages_are_asked_a_part_at_a_time(mailbox: Mailbox) -> None:
    """Others may expunge in the pauses between."""
    some = [
        NewMessage(Content.of(b"\r\n"), flags=SEEN if n % 10 == 0 else 0)
        for n in range(5, 45_001)
    ]
    now(mailbox.append(some))
    breaths: list[int] = []

    async def meddled() -> None:
        breaths.append(1)
        if len(breaths) == 2:
            await mailbox.expunge([100, 30_001, 44_990], None)

    view = mailbox.view(read_only=True)
    seen = now(search(mailbox, view, c.HasFlag(SEEN), meddled))
    expected = [2, 4, *(n for n in range(5, 45_001) if n % 10 == 0)]
    gone_since = {44_990}  # before its part was looked at
    assert seen == [uid for uid in expected if uid not in gone_since]
    assert len(breaths) == 3
    assert now(search(mailbox, view, c.Smaller(3), breathe)) == [
        uid for uid in range(5, 45_001) if uid not in {100, 30_001, 44_990}
    ]


def test_columns_are_asked_before_headers_and_headers_before_bodies() -> None:
    asked: list[Criterion] = [c.TextContains("x"), c.SentOn(day(1)), c.HasFlag(SEEN)]
    assert [cost(one) for one in asked] == [2, 1, 0]
    assert cost(c.Not(c.Or(asked[2], asked[0]))) == 2


def test_bodies_are_read_only_where_columns_leave_a_question(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    read_many = mailbox.read_many

    async def counted(uids: Sequence[int]) -> list[bytes | None]:
        read.extend(uids)
        return await read_many(uids)

    monkeypatch.setattr(mailbox, "read_many", counted)
    garden = c.BodyContains("garden")
    assert found(mailbox, c.And((garden, c.HasKeyword("unknown")))) == []
    assert read == []
    assert found(mailbox, c.And((garden, c.HasFlag(FLAGGED)))) == [3]
    assert read == [3]


def test_others_have_a_turn_after_each_question_and_each_body(mailbox: Mailbox) -> None:
    breaths: list[int] = []

    async def counted() -> None:
        breaths.append(1)

    view = mailbox.view(read_only=True)
    asked = c.And((c.HasFlag(SEEN), c.Larger(1), c.BodyContains("garden")))
    assert now(search(mailbox, view, asked, counted)) == []
    assert len(breaths) == 2 + 2


def test_a_large_body_is_decoded_in_a_thread(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    in_thread = mailbox.in_thread

    async def counted(job: Callable[[], bool]) -> bool:
        threads.append(1)
        return await in_thread(job)

    monkeypatch.setattr(mailbox, "in_thread", counted)
    large = mail("large", "long lines\r\n" * 30_000 + "needle")
    now(mailbox.append([NewMessage(Content.of(large))]))
    assert found(mailbox, c.BodyContains("needle")) == [5]
    assert found(mailbox, c.TextContains("nowhere")) == []
    assert len(threads) == 2


SIMPLE = st.sampled_from([asked for asked, _ in CASES[:23]])
ANY = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(c.Not, inner),
        st.builds(c.Or, inner, inner),
        st.builds(lambda a, b: c.And((a, b)), inner, inner),
    ),
    max_leaves=6,
)
EXPECTED = {asked: set(expected) for asked, expected in CASES}


def fitting(asked: Criterion) -> set[int]:
    match asked:
        case c.Not(criterion=inner) if asked not in EXPECTED:
            return {1, 2, 3, 4} - fitting(inner)
        case c.Or(left=left, right=right) if asked not in EXPECTED:
            return fitting(left) | fitting(right)
        case c.And(criteria=parts) if asked not in EXPECTED:
            return set.intersection(*map(fitting, parts))
    return EXPECTED[asked]


@settings(max_examples=100)
@given(ANY)
def test_mixtures_follow_set_algebra(asked: Criterion) -> None:
    stores = MemoryStores(lambda: 0.0)
    post = Post(stores, at_once, lambda _: nullcontext(), Watches())
    inbox = now(now(post.mail(Account("a", "/", "memory:"))).open("INBOX"))
    for octets, flags, date in MESSAGES:
        now(inbox.append([NewMessage(Content.of(octets), flags=flags, date=date)]))
    now(inbox.change_flags([3], FlagChange(Operation.ADD, 0, ("$Work",)), None))
    assert set(found(inbox, asked)) == fitting(asked)

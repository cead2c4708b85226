"""Kept text: searches give the same answers with it, share it, and go without it."""

import dataclasses
import itertools
from array import array
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import CancelledError, Deferred, execute, succeed

from maildrop.durable import Content
from maildrop.errors import MailboxVanished
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail, Post
from maildrop.mailbox.interfaces import NewMessage, Store
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.search import search
from maildrop.mailbox.stored_text import Where
from maildrop.message import criteria as c
from maildrop.message.criteria import Criterion
from maildrop.message.searchable import Searchable
from maildrop.message.sequence_set import SequenceSet
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.text_file import TEXT
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from maildrop.text.folding import fold
from tests.crash.stopping import QuickDisk

T = TypeVar("T")
ACCOUNT = Account("ann", "/", "maildir:")


class Watches:
    """Nothing changes."""

    def watch(self, paths: object, changed: object) -> Any:  # noqa: ANN401
        del paths, changed
        return lambda: None


class Threads:
    """Jobs are done at once; while slow they wait for ``finish``."""

    def __init__(self) -> None:
        self.slow = False
        self.jobs = 0
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        self.jobs += 1
        if not self.slow:
            return succeed(job())
        done: Deferred[T] = Deferred()
        self.waiting.append(lambda: execute(job).chainDeferred(done))
        return done

    def finish(self) -> None:
        self.waiting.pop(0)()

    def finish_all(self) -> None:
        while self.waiting:
            self.finish()


@pytest.fixture
def threads() -> Threads:
    return Threads()


def host() -> Host:
    return dataclasses.replace(Host.here(QuickDisk()), sleep=lambda _: None)


def maildir(path: Path) -> Store:
    return MaildirStore(str(path / "Maildir"), host(), Remembered())


def mbox(path: Path) -> Store:
    (path / "control").mkdir(exist_ok=True)
    return MboxStore(
        str(path / "inbox"),
        str(path / "mail"),
        str(path / "control"),
        host(),
        Remembered(),
    )


def mail_at(path: Path, threads: Threads, kind: Callable[[Path], Store]) -> Mail:
    post = Post(lambda _: kind(path), threads, lambda _: nullcontext(), Watches())
    return now(post.mail(ACCOUNT))


def inbox_at(
    path: Path, threads: Threads | None = None, kind: Callable[[Path], Store] = maildir
) -> Mailbox:
    return now(mail_at(path, threads or Threads(), kind).open("INBOX"))


def now(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("suspended")


async def breathe() -> None:
    """Nobody else is waiting."""


def add(mailbox: Mailbox, *messages: bytes) -> None:
    new = [NewMessage(Content.of(octets)) for octets in messages]
    now(mailbox.append(new))


def message(body: str, subject: str = "s") -> bytes:
    return (
        f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}"
        "\r\n"
    ).encode()


def found(mailbox: Mailbox, asked: Criterion) -> list[int]:
    now(mailbox.refresh())
    view = mailbox.view(read_only=True)
    return now(search(mailbox, view, asked, breathe))


def searching(mailbox: Mailbox, text: str) -> Deferred[list[int]]:
    view = mailbox.view(read_only=True)
    return Deferred.fromCoroutine(search(mailbox, view, c.TextContains(text), breathe))


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob(f"{TEXT}*") if file.is_file()]


both_kinds = pytest.mark.parametrize("kind", [maildir, mbox])


@both_kinds
def test_the_first_search_makes_it_and_the_next_one_reads_no_message(
    tmp_path: Path,
    kind: Callable[[Path], Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = inbox_at(tmp_path, kind=kind)
    add(inbox, *[message(f"body {n} of all") for n in range(1, 101)])
    assert files(tmp_path) == []
    assert found(inbox, c.BodyContains("BODY 7 ")) == [7]
    assert len(files(tmp_path)) == 1
    monkeypatch.setattr(inbox.stored, "read_many", None)
    monkeypatch.setattr(inbox.stored, "read_at_once", None)
    assert found(inbox, c.BodyContains("9 of")) == list(range(9, 101, 10))
    assert found(inbox, c.TextContains("SUBJECT: S")) == list(range(1, 101))
    assert found(inbox, c.BodyContains("subject")) == []


def test_another_process_has_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, message("hay"), message("needle"))
    assert found(inbox, c.TextContains("needle")) == [2]
    other = inbox_at(tmp_path)
    monkeypatch.setattr(other.stored, "read_many", None)
    monkeypatch.setattr(other.stored, "read_at_once", None)
    assert found(other, c.TextContains("needle")) == [2]


words = st.text(alphabet="abÄßﬁİς\u0301 \n", max_size=5)
mails = st.lists(
    st.one_of(
        st.builds(message, words, st.text(alphabet="xä", max_size=3)),
        st.builds(
            lambda a, b: b"\xff" + a.encode("utf-16") + b"\r\n\r\n" + b.encode(),
            words,
            words,
        ),
        st.binary(max_size=30),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(
    mails=mails,
    texts=st.lists(words, min_size=1, max_size=3),
    body=st.booleans(),
    more=mails,
    gone=st.sets(st.integers(1, 10)),
)
def test_the_answers_are_those_that_the_messages_give(
    tmp_path_factory: pytest.TempPathFactory,
    mails: list[bytes],
    texts: list[str],
    body: bool,
    more: list[bytes],
    gone: set[int],
) -> None:
    inbox = inbox_at(tmp_path_factory.mktemp("mail"))

    def expected(text: str) -> list[int]:
        uids = list(inbox.table.uids)
        fits = []
        for uid, octets in zip(uids, now(inbox.read_many(uids)), strict=True):
            one = Searchable(octets or b"")
            places = [one.body()] if body else [one.headers(), one.body()]
            if any(fold(text) in place for place in places):
                fits.append(uid)
        return fits

    asked = c.BodyContains if body else c.TextContains
    add(inbox, *mails)
    for text in texts:
        assert found(inbox, asked(text)) == expected(text)
    add(inbox, *more)
    now(inbox.expunge(sorted(gone & set(inbox.table.uids)), None))
    for text in texts:
        assert found(inbox, asked(text)) == expected(text)
    now(inbox.texts.keep_up())
    for text in texts:
        assert found(inbox, asked(text)) == expected(text)
    now(inbox.close())


@settings(max_examples=20, deadline=None)
@given(mails=mails, text=words, name=st.sampled_from([b"SUBJECT", b"CONTENT-TYPE"]))
def test_header_fields_are_found_as_without_it(
    tmp_path_factory: pytest.TempPathFactory,
    mails: list[bytes],
    text: str,
    name: bytes,
) -> None:
    asked = c.HeaderContains(name, text)
    inbox = inbox_at(tmp_path_factory.mktemp("mail"))
    add(inbox, *itertools.islice(itertools.cycle(mails), 210))
    without = found(inbox, asked)
    found(inbox, c.TextContains("some"))
    assert inbox.texts.last == 210
    assert found(inbox, asked) == without
    now(inbox.close())


def test_of_many_headers_only_those_are_looked_at_that_hold_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, *[message("s77", f"s{n}") for n in range(1, 301)])
    found(inbox, c.TextContains("some"))
    looked: list[int] = []
    fragments = inbox.fragments

    async def counted(key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        looked.extend(uids)
        return await fragments(key, uids)

    monkeypatch.setattr(inbox, "fragments", counted)
    assert found(inbox, c.HeaderContains(b"SUBJECT", "S77")) == [77]
    assert looked == [77]
    assert found(inbox, c.HeaderContains(b"FROM", "s77")) == []
    assert found(inbox, c.HeaderContains(b"FROM", "")) == []


def test_a_header_over_the_limits_is_looked_at(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    long = b"X-Long: " + b"x" * 300_000 + b"\r\nSubject: needle\r\n\r\n\r\n"
    add(inbox, long, *[message("body")] * 250)
    asked = c.HeaderContains(b"SUBJECT", "needle")
    without = found(inbox, asked)
    found(inbox, c.TextContains("some"))
    assert found(inbox, asked) == without == [1]


def test_a_few_messages_in_question_are_read_instead(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, *[message(f"n{n}x") for n in range(1, 21)])
    few = c.And((c.Larger(0), c.Numbers(numbers("3,7"))))
    assert found(inbox, c.And((few, c.BodyContains("n7x")))) == [7]
    assert files(tmp_path) == []
    half = c.And((c.Numbers(numbers("1:5")), c.BodyContains("n4x")))
    assert found(inbox, half) == [4]
    assert len(files(tmp_path)) == 1


def numbers(text: str) -> SequenceSet:
    return SequenceSet.parse(text.encode())


def test_an_empty_text_is_in_every_message_and_needs_none(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, message("a"), b"\r\n", b"")
    assert found(inbox, c.TextContains("")) == [1, 2, 3]
    assert files(tmp_path) == []


def test_a_message_too_long_for_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, message("a needle " + "x y\r\n" * 300_000), message("needle"))
    assert found(inbox, c.BodyContains("needle")) == [1, 2]
    read: list[int] = []
    read_many = inbox.read_many

    async def counted(uids: Sequence[int]) -> list[bytes | None]:
        read.extend(uids)
        return await read_many(uids)

    monkeypatch.setattr(inbox, "read_many", counted)
    assert found(inbox, c.BodyContains("needle")) == [1, 2]
    assert read == [1]


def test_searches_share_the_making(tmp_path: Path, threads: Threads) -> None:
    inbox = inbox_at(tmp_path, threads)
    add(inbox, *[message(f"n{n}x") for n in range(1, 301)])
    alone, together = Threads(), Threads()
    first = inbox_at(tmp_path, alone)
    assert found(first, c.TextContains("n9x")) == [9]
    (file,) = files(tmp_path)
    file.unlink()
    second = inbox_at(tmp_path, together)
    together.slow = True
    results: list[list[int]] = []
    for _ in range(3):
        searching(second, "n9x").addCallback(results.append)
    together.finish_all()
    assert results == [[9]] * 3
    assert together.jobs < 2 * alone.jobs + 10


def test_one_that_is_cancelled_leaves_the_making_to_others(
    tmp_path: Path, threads: Threads
) -> None:
    inbox = inbox_at(tmp_path, threads)
    add(inbox, *[message(f"n{n}x") for n in range(1, 301)])
    breaths = itertools.count()

    async def gone() -> None:
        if next(breaths) == 2:
            raise CancelledError

    threads.slow = True
    view = inbox.view(read_only=True)
    stopped = Deferred.fromCoroutine(search(inbox, view, c.TextContains("x"), gone))
    stopped.addErrback(lambda failure: failure.trap(CancelledError))
    other: list[list[int]] = []
    searching(inbox, "n200x").addCallback(other.append)
    threads.finish_all()
    assert stopped.result is CancelledError
    assert other == [[200]]


def test_closing_waits_for_the_look_and_begins_no_other(
    tmp_path: Path, threads: Threads
) -> None:
    inbox = inbox_at(tmp_path, threads)
    add(inbox, message("needle"))
    assert found(inbox, c.TextContains("needle")) == [1]
    threads.slow = True
    failed: list[object] = []
    searching(inbox, "needle").addErrback(lambda failure: failed.append(failure.type))
    closed: list[None] = []
    Deferred.fromCoroutine(inbox.close()).addCallback(closed.append)
    assert closed == []
    threads.finish_all()
    assert failed == [MailboxVanished]
    assert closed == [None]


def test_a_disk_that_fails_costs_time_and_no_answer(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, message("hay"), message("needle"))
    (tmp_path / "Maildir" / TEXT).mkdir()
    assert found(inbox, c.TextContains("needle")) == [2]
    assert found(inbox, c.BodyContains("y")) == [1]


def test_new_messages_are_covered_in_idle_time_where_there_is_text(
    tmp_path: Path, threads: Threads
) -> None:
    mail = mail_at(tmp_path, threads, maildir)
    inbox = now(mail.open("INBOX"))
    add(inbox, message("one"))
    now(mail.settle())
    assert files(tmp_path) == []
    assert found(inbox, c.TextContains("one")) == [1]
    add(inbox, message("two"))
    text = inbox.stored.text
    assert text is not None
    assert text.last == 1
    now(mail.settle())
    assert text.last == 2
    before = threads.jobs
    now(mail.settle())
    assert threads.jobs == before


def test_waste_is_removed_in_idle_time(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    add(inbox, *[message(f"secret {n}") for n in range(1, 11)])
    assert len(found(inbox, c.BodyContains("secret"))) == 10
    now(inbox.expunge(range(1, 10), None))
    now(inbox.texts.keep_up())
    (file,) = files(tmp_path)
    assert file.read_bytes().count(b"secret") == 1
    assert found(inbox, c.BodyContains("secret")) == [10]


def test_a_mailbox_closed_while_waste_is_removed_keeps_what_it_had(
    tmp_path: Path, threads: Threads
) -> None:
    inbox = inbox_at(tmp_path, threads)
    add(inbox, *[message("secret " + "y" * 900_000)] * 12)
    assert len(found(inbox, c.BodyContains("secret"))) == 12
    now(inbox.expunge(range(1, 12), None))
    threads.slow = True
    kept: list[None] = []
    Deferred.fromCoroutine(inbox.texts.keep_up()).addCallback(kept.append)
    Deferred.fromCoroutine(inbox.close())
    threads.finish_all()
    assert kept == [None]
    (file,) = files(tmp_path)
    assert file.name == TEXT
    assert file.read_bytes().count(b"secret") == 12


def test_no_more_is_kept_than_the_limit_says(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    inbox.texts.limit(10_000)
    add(inbox, *[message(f"n{n}x " + "y" * 100) for n in range(1, 301)])
    assert found(inbox, c.BodyContains("n299x")) == [299]
    assert 0 < inbox.texts.last < 300
    (file,) = files(tmp_path)
    before = file.stat().st_size
    assert found(inbox, c.BodyContains("n9x")) == [9]
    assert file.stat().st_size == before


def test_none_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    post = Post(
        lambda _: maildir(tmp_path),
        Threads(),
        lambda _: nullcontext(),
        Watches(),
        text_octets=0,
    )
    inbox = now(now(post.mail(ACCOUNT)).open("INBOX"))
    add(inbox, message("hay"), message("needle"))
    assert found(inbox, c.BodyContains("needle")) == [2]
    assert files(tmp_path) == []


def test_what_another_process_expunged_meanwhile_does_not_fit(tmp_path: Path) -> None:
    inbox, other = inbox_at(tmp_path), inbox_at(tmp_path)
    add(inbox, message("a needle"), message("a needle"))
    view = inbox.view(read_only=True)
    asked = c.BodyContains("needle")
    assert now(search(inbox, view, asked, breathe)) == [1, 2]
    now(other.refresh())
    now(other.expunge([1], None))
    now(inbox.refresh())
    assert now(search(inbox, view, asked, breathe)) == [2]


def test_a_store_without_text_covers_nothing(tmp_path: Path) -> None:
    inbox = inbox_at(tmp_path)
    bare = type(inbox.texts)(inbox, None, inbox._gate.another())
    uids = array("I", [1, 2])
    now(bare.cover(uids, breathe))
    now(bare.keep_up())
    assert now(bare.find("x", uids, Where.BODY, breathe)) == (array("I"), uids)

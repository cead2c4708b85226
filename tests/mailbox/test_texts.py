"""Kept text: searches give the same answers with it, share it, and go without it."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import CancelledError, Deferred

from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.search import search
from maildrop.message import criteria as c
from maildrop.message.searchable import Searchable
from maildrop.message.sequence_set import SequenceSet
from maildrop.text.folding import fold
from tests.mailbox.kept_text import (
    OpenInbox,
    Threads,
    add,
    files,
    found,
    inbox_at,
    maildir,
    mbox,
    message,
    now,
    searching,
)

both_kinds = pytest.mark.parametrize("kind", [maildir, mbox])


@both_kinds
def test_the_first_search_makes_it_and_the_next_one_reads_no_message(
    open_inbox: OpenInbox,
    tmp_path: Path,
    kind: Callable[[Path], Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = open_inbox(tmp_path, kind=kind)
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
    open_inbox: OpenInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = open_inbox(tmp_path)
    add(inbox, message("hay"), message("needle"))
    assert found(inbox, c.TextContains("needle")) == [2]
    other = open_inbox(tmp_path)
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
    open_inbox: OpenInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = open_inbox(tmp_path)
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


def test_a_header_over_the_limits_is_looked_at(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
    long = b"X-Long: " + b"x" * 300_000 + b"\r\nSubject: needle\r\n\r\n\r\n"
    add(inbox, long, *[message("body")] * 250)
    asked = c.HeaderContains(b"SUBJECT", "needle")
    without = found(inbox, asked)
    found(inbox, c.TextContains("some"))
    assert found(inbox, asked) == without == [1]


def test_a_few_messages_in_question_are_read_instead(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
    add(inbox, *[message(f"n{n}x") for n in range(1, 21)])
    few = c.And((c.Larger(0), c.Numbers(numbers("3,7"))))
    assert found(inbox, c.And((few, c.BodyContains("n7x")))) == [7]
    assert files(tmp_path) == []
    half = c.And((c.Numbers(numbers("1:5")), c.BodyContains("n4x")))
    assert found(inbox, half) == [4]
    assert len(files(tmp_path)) == 1


def numbers(text: str) -> SequenceSet:
    return SequenceSet.parse(text.encode())


def test_an_empty_text_is_in_every_message_and_needs_none(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
    add(inbox, message("a"), b"\r\n", b"")
    assert found(inbox, c.TextContains("")) == [1, 2, 3]
    assert files(tmp_path) == []


def test_a_message_too_long_for_it_is_read(
    open_inbox: OpenInbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = open_inbox(tmp_path)
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


def test_searches_share_the_making(
    open_inbox: OpenInbox, tmp_path: Path, threads: Threads
) -> None:
    inbox = open_inbox(tmp_path, threads)
    add(inbox, *[message(f"n{n}x") for n in range(1, 301)])
    alone, together = Threads(), Threads()
    first = open_inbox(tmp_path, alone)
    assert found(first, c.TextContains("n9x")) == [9]
    (file,) = files(tmp_path)
    file.unlink()
    second = open_inbox(tmp_path, together)
    together.slow = True
    results: list[list[int]] = []
    for _ in range(3):
        searching(second, "n9x").addCallback(results.append)
    together.finish_all()
    assert results == [[9]] * 3
    assert together.jobs < 2 * alone.jobs + 10


def test_one_that_is_cancelled_leaves_the_making_to_others(
    open_inbox: OpenInbox, tmp_path: Path, threads: Threads
) -> None:
    inbox = open_inbox(tmp_path, threads)
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

"""Kept text: made no further than wanted, kept up and tidied in idle time, let go."""

from array import array
from contextlib import nullcontext
from pathlib import Path

from twisted.internet.defer import Deferred

from maildrop.errors import MailboxVanished
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.search import search
from maildrop.mailbox.stored_text import Where
from maildrop.message import criteria as c
from maildrop.storage.index.text_file import TEXT
from tests.mailbox.kept_text import (
    ACCOUNT,
    OpenInbox,
    Threads,
    Watches,
    add,
    breathe,
    files,
    found,
    mail_at,
    maildir,
    message,
    now,
    searching,
)


def test_closing_waits_for_the_look_and_begins_no_other(
    open_inbox: OpenInbox, tmp_path: Path, threads: Threads
) -> None:
    inbox = open_inbox(tmp_path, threads)
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


def test_a_disk_that_fails_costs_time_and_no_answer(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
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


def test_waste_is_removed_in_idle_time(open_inbox: OpenInbox, tmp_path: Path) -> None:
    inbox = open_inbox(tmp_path)
    add(inbox, *[message(f"secret {n}") for n in range(1, 11)])
    assert len(found(inbox, c.BodyContains("secret"))) == 10
    now(inbox.expunge(range(1, 10), None))
    now(inbox.texts.keep_up())
    (file,) = files(tmp_path)
    assert file.read_bytes().count(b"secret") == 1
    assert found(inbox, c.BodyContains("secret")) == [10]


def test_a_mailbox_closed_while_waste_is_removed_keeps_what_it_had(
    open_inbox: OpenInbox, tmp_path: Path, threads: Threads
) -> None:
    inbox = open_inbox(tmp_path, threads)
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


def test_no_more_is_kept_than_the_limit_says(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
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


def test_what_another_process_expunged_meanwhile_does_not_fit(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox, other = open_inbox(tmp_path), open_inbox(tmp_path)
    add(inbox, message("a needle"), message("a needle"))
    view = inbox.view(read_only=True)
    asked = c.BodyContains("needle")
    assert now(search(inbox, view, asked, breathe)) == [1, 2]
    now(other.refresh())
    now(other.expunge([1], None))
    now(inbox.refresh())
    assert now(search(inbox, view, asked, breathe)) == [2]


def test_a_store_without_text_covers_nothing(
    open_inbox: OpenInbox, tmp_path: Path
) -> None:
    inbox = open_inbox(tmp_path)
    bare = type(inbox.texts)(inbox, None, inbox._gate.another())
    uids = array("I", [1, 2])
    now(bare.cover(uids, breathe))
    now(bare.keep_up())
    assert now(bare.find("x", uids, Where.BODY, breathe)) == (array("I"), uids)

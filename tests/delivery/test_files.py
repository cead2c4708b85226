"""Files: mail that one of our files wants to have in a file."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from twisted.internet.defer import Deferred, succeed

from maildrop.delivery.actions import ToFile, as_waiting
from maildrop.delivery.files import Files
from maildrop.durable import Content
from maildrop.errors import (
    AccessDenied,
    MailboxInUse,
    MaildropError,
    NoSpace,
    StorageFailure,
)
from maildrop.mailbox.account import Account
from maildrop.queue.entry import Entry, Kind, Result, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.wire.path import Path
from tests.queue.settled import Settled

BOB = Account("bob", "/home/bob", "maildir:/home/bob/Maildir", 1001, 1001)
MESSAGE = b"Subject: x\r\n\r\nhello\r\n"
WRITTEN = (
    b"Return-Path: <owner-x@example.org>\nDelivered-To: bob@example.org\n"
    b"Subject: x\n\nhello\n"
)


class Deposits:
    """Notes what is to be written, and by whom; or fails."""

    def __init__(self) -> None:
        self.owner = ""
        self.done: list[tuple[str, ...]] = []
        self.error: MaildropError | None = None

    @contextmanager
    def as_owner(self, account: Account) -> Iterator[None]:
        self.owner = account.name
        yield
        self.owner = ""

    def append(self, path: str, message: bytes, sender: str, date: float) -> None:
        if self.error is not None:
            raise self.error
        assert (message, date) == (WRITTEN, 5.0)
        self.done.append((self.owner, "append", path, sender))

    def put(self, path: str, message: bytes, key: str, date: float) -> None:
        assert (message, date) == (WRITTEN, 5.0)
        self.done.append((self.owner, "put", path, key))


def to(path: str) -> Waiting:
    action = ToFile(path, BOB, "bob", Path("owner-x", "example.org"))
    waiting = as_waiting(action, Path("bob", "example.org"))
    waiting.number = 0
    return waiting


def relay(deposits: Deposits, waiting: Waiting, objection: str = "") -> Result:
    def account(name: str) -> Account | None:
        return BOB if name == "bob" else None

    files = Files(
        deposits,
        deposits.as_owner,
        lambda _: objection,
        account,
        lambda job: succeed(job()),
    )
    entry = Entry("ID7", "ann@far.example", 5.0, len(MESSAGE), [waiting])
    done: list[Attempt] = []
    job = Job(entry, [waiting], lambda: Content.of(MESSAGE), Settled())
    work = files.relay(job)
    Deferred.fromCoroutine(work).addCallback(done.append)
    (result,) = done[0].results
    return result


@pytest.mark.parametrize(
    ("path", "done"),
    [
        ("/home/bob/x", ("bob", "append", "/home/bob/x", "owner-x@example.org")),
        ("/home/bob/x/", ("bob", "put", "/home/bob/x/", "ID7R0")),
    ],
)
def test_a_file_is_written_as_its_owner(path: str, done: tuple[str, ...]) -> None:
    deposits = Deposits()
    assert relay(deposits, to(path)).kind is Kind.DELIVERED
    assert deposits.done == [done]


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (NoSpace("full"), Kind.WAITING, "4.2.2"),
        (MailboxInUse("locked"), Kind.WAITING, "4.2.0"),
        (StorageFailure("broken"), Kind.WAITING, "4.3.0"),
        (AccessDenied("no"), Kind.FAILED, "5.2.0"),
    ],
)
def test_what_fails_is_tried_again_or_given_back(
    error: MaildropError, kind: Kind, code: str
) -> None:
    deposits = Deposits()
    deposits.error = error
    result = relay(deposits, to("/x"))
    assert (result.kind, result.status.code) == (kind, code)


def test_nothing_is_written_with_rights_that_must_not_be_had() -> None:
    deposits = Deposits()
    result = relay(deposits, to("/x"), "nothing is run as root")
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.3.5")
    assert not deposits.done


def test_an_order_that_is_none_is_not_carried_out() -> None:
    waiting = to("/x")
    waiting.order = ""
    assert relay(Deposits(), waiting).kind is Kind.WAITING
    waiting.order = waiting.order.replace("bob", "eve") or "{"
    assert relay(Deposits(), waiting).kind is Kind.WAITING

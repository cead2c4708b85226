"""What happens when a user's mail reaches a part of the quota."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from maildrop.app.privileges import OwnRights
from maildrop.app.schema_store import QuotaWarning
from maildrop.app.warner import Warner, environment, filled
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.quota import Quota, Reached, Usage
from maildrop.storage.memory.store import MemoryStores

T = TypeVar("T")
QUOTA = Quota(octets=1000, messages=50, warnings=(80,))
ANN = Account("ann", "/home/ann", "memory:", quota=QUOTA)
REACHED = Reached(80, Usage(850, 3), QUOTA)
TEMPLATE = b"Subject: %p%% of %l octets\nTo: %u\n\n%o are used; %x stays.\n"


class Reactor(Clock):
    """Time, and calls of other threads that come at once."""

    def callFromThread(  # noqa: N802 (Twisted's)
        self, call: Callable[..., object], *arguments: object
    ) -> None:
        call(*arguments)


class Watches:
    """Nothing ever changes by itself."""

    def watch(
        self, paths: Sequence[str], changed: Callable[[], None]
    ) -> Callable[[], None]:
        del paths, changed
        return lambda: None


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return execute(job)


class Office:
    """A warner, and the mail that it may deliver to."""

    def __init__(self, *warnings: QuotaWarning) -> None:
        self.stores = MemoryStores(lambda: 1000.0)
        self.warner = Warner(warnings, OwnRights(os.geteuid()), Reactor(), at_once)
        post = Post(
            self.stores,
            at_once,
            lambda _: nullcontext(),
            Watches(),
            reached=self.warner,
        )
        self.warner.deliver_to(post)

    def inbox(self) -> list[bytes]:
        inbox = self.stores(ANN).open("INBOX")
        return [inbox.read(uid) for uid in inbox.table.uids]


def test_variables_of_a_message_are_filled_in() -> None:
    assert filled(TEMPLATE, ANN, REACHED) == (
        b"Subject: 80% of 1000 octets\r\nTo: ann\r\n\r\n850 are used; %x stays.\r\n"
    )


def test_a_message_is_put_into_the_inbox_even_if_that_is_full(tmp_path: Path) -> None:
    file = tmp_path / "warning.eml"
    file.write_bytes(TEMPLATE)
    office = Office(QuotaWarning(80, (), str(file)), QuotaWarning(90, (), "/none"))
    office.stores(ANN).limit(Quota(octets=1))
    office.warner(ANN, REACHED)
    [octets] = office.inbox()
    assert octets.startswith(b"Date: ")
    assert octets.endswith(filled(TEMPLATE, ANN, REACHED))


def test_a_command_is_told_in_its_environment(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = f"import os; open({str(told)!r}, 'w').write(repr(dict(os.environ)))"
    office = Office(QuotaWarning(80, (sys.executable, "-c", program)))
    office.warner(ANN, REACHED)
    said = told.read_text()
    for name, value in environment(ANN, REACHED).items():
        assert f"{name!r}: {value!r}" in said
    assert "'QUOTA_PERCENT': '80'" in said


@pytest.mark.parametrize(
    "warning",
    [
        QuotaWarning(80, ("/no/such/program",)),
        QuotaWarning(80, (sys.executable, "-c", "raise SystemExit(3)")),
        QuotaWarning(80, (), "/no/such/message"),
    ],
)
def test_what_fails_is_told_and_hurts_nobody(warning: QuotaWarning) -> None:
    office = Office(warning)
    with capturedLogs() as logs:
        office.warner(ANN, REACHED)
    first, second = (event["log_level"].name for event in logs)
    assert first == "info"
    assert second in {"warn", "error"}


def test_other_percentages_are_other_warnings(tmp_path: Path) -> None:
    office = Office(QuotaWarning(90, (), str(tmp_path / "none")))
    office.warner(ANN, REACHED)
    assert office.inbox() == []

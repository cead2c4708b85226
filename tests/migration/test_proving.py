"""Two maildrops in memory, compared as two servers are."""

from dataclasses import replace
from pathlib import Path

import pytest

from maildrop.mailbox.flags import FLAGGED, FlagChange, Operation
from maildrop.mailbox.names import Namespace
from maildrop.migration.proving import Depth, accounts
from tests.imap.conftest import Served
from tests.migration.wired import account

MESSAGES = tuple(
    b"From: a@example.org\r\nSubject: %d\r\n\r\nbody %d\r\n" % (n, n) for n in range(8)
)


def served(directory: Path, *messages: bytes) -> Served:
    """A server with the same mail each time."""
    directory.mkdir()
    found = Served(str(directory))
    found.fill(*messages)
    client = found.login()
    client.say(b"c CREATE Work/2024", b"s SUBSCRIBE Work/2024", b"o LOGOUT")
    client.lose()
    found.fill(*messages[:2], mailbox=b"Work/2024")
    return found


@pytest.fixture
def old(tmp_path: Path) -> Served:
    return served(tmp_path / "old", *MESSAGES)


@pytest.fixture
def new(tmp_path: Path) -> Served:
    return served(tmp_path / "new", *MESSAGES)


def proved(old: Served, new: Served, depth: Depth | None = None) -> list[str]:
    progress: list[tuple[str, int, int]] = []
    before, after = account(old), account(new)
    found = accounts(before, after, depth or Depth(), lambda *now: progress.append(now))
    lines = [str(difference) for difference in found]
    before.close()
    after.close()
    assert progress
    return lines


@pytest.mark.parametrize("depth", [Depth(), Depth(sample=2), Depth(deep=True)])
def test_the_same_mail_has_no_difference(
    old: Served, new: Served, depth: Depth
) -> None:
    assert proved(old, new, depth) == []


def test_every_planted_difference_is_told(old: Served, new: Served) -> None:
    inbox, work = new.mailbox(), new.mailbox("Work/2024")
    inbox.change_flags([2], FlagChange(Operation.ADD, FLAGGED), None)
    inbox.change_flags([3], FlagChange(Operation.ADD, 0, ("work",)), None)
    inbox.expunge([5], None)
    new.fill(b"Subject: more\r\n\r\n")
    inbox.table.dates[0] += 60
    work.reserve(9)
    old.mailbox("Work/2024").table.uid_validity += 1
    client = new.login()
    client.say(b"c CREATE More", b"u UNSUBSCRIBE Work/2024", b"o LOGOUT")
    client.lose()
    assert proved(old, new) == [
        "imap More: mailbox: old nothing, new a mailbox",
        "imap Work/2024: subscription: old subscribed, new nothing",
        "imap INBOX: UIDNEXT: old 9, new 10",
        "imap INBOX uid 1: INTERNALDATE: old 21-Sep-2026 14:13:20 +0000,"
        " new 21-Sep-2026 14:14:20 +0000",
        "imap INBOX uid 2: FLAGS: old (), new (\\Flagged)",
        "imap INBOX uid 3: FLAGS: old (), new (work)",
        "imap INBOX uid 5: message: old there, new nothing",
        "imap INBOX uid 9: message: old nothing, new there",
        f"imap Work/2024: UIDVALIDITY: old {work.table.uid_validity + 1},"
        f" new {work.table.uid_validity}",
        "imap Work/2024: UIDNEXT: old 3, new 9",
    ]


def test_other_octets_of_the_same_size_are_told_when_they_are_read(
    tmp_path: Path, old: Served
) -> None:
    other = [octets.replace(b"body 6", b"b0dy 6") for octets in MESSAGES]
    new = served(tmp_path / "new", *other)
    assert proved(old, new) == []
    assert proved(old, new, Depth(sample=2)) == []
    (line,) = proved(old, new, Depth(deep=True))
    assert line.startswith("imap INBOX uid 7: octets: old 43 octets, digest ")


def test_a_sample_has_the_first_and_the_last_message(
    tmp_path: Path, old: Served
) -> None:
    other = [octets.replace(b"body 7", b"b0dy 7") for octets in MESSAGES]
    other[0] = other[0].replace(b"body 0", b"b0dy 0")
    new = served(tmp_path / "new", *other)
    found = proved(old, new, Depth(sample=2))
    assert [line.split(":")[0] for line in found] == [
        "imap INBOX uid 1",
        "imap INBOX uid 8",
        "imap Work/2024 uid 1",
    ]


def test_nothing_is_changed_by_looking(old: Served, new: Served) -> None:
    before = [bytes(side.mailbox().table.flags) for side in (old, new)]
    proved(old, new, Depth(deep=True))
    assert [bytes(side.mailbox().table.flags) for side in (old, new)] == before
    assert old.mailbox().table.first_recent == 1


def test_another_namespace_is_told_once_and_names_are_compared_all_the_same(
    old: Served, new: Served
) -> None:
    """RFC 2342: as Courier has it, say."""
    old.site = replace(old.site, namespace=Namespace("INBOX.", "."))
    assert proved(old, new) == [
        'imap -: NAMESPACE prefix: old "INBOX.", new ""',
        'imap -: hierarchy delimiter: old ".", new "/"',
    ]

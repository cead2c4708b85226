"""Taking over mail and giving it back, stopped after every call; then done again.

An adoption that stops leaves a mailbox that nobody was told of, or one that is taken
over; a release leaves files of which some are new.  Both are done again without harm.
"""

import dataclasses
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.storage.foreign import courier, dovecot, giving, mbox
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.foreign.giving_mbox import to_mbox
from maildrop.storage.foreign.maildir import Folder, adopt
from maildrop.storage.foreign.mbox_fields import fields
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from tests.crash.stopping import every_stop

COURIER = {
    "courierimapuiddb": b"1 55 12\n3 1000000001.M1P1.h\n9 1000000002.M1P1.h\n",
    "courierpop3dsizelist": b"/3 20 66\n1000000001.M1P1.h:2,S 17 7:66:0\n",
    "courierimapkeywords/:list": b"work\n\n1000000002.M1P1.h:0\n",
}
MBOX = b"".join(
    b"From a@example.org Thu Jan  1 12:34:56 2026\n%bX-UID: %d\nSubject: %d\n\nx\n\n"
    % (b"X-IMAPbase: 77 0000000020 work\nX-Keywords: work\n" if n == 3 else b"", n, n)
    for n in (3, 8, 15)
)


def start(directory: Path) -> None:
    """Mail that Courier served."""
    root = directory / "Maildir"
    for name in ("cur", "new", "tmp", "courierimapkeywords"):
        (root / name).mkdir(parents=True)
    (root / "cur" / "1000000001.M1P1.h:2,S").write_bytes(b"Subject: x\n\nx\n")
    (root / "cur" / "1000000002.M1P1.h:2,F").write_bytes(b"Subject: y\n\ny\n")
    for name, octets in COURIER.items():
        (root / name).write_bytes(octets)


def on(disk: Disk | None) -> Host:
    host = Host.here()
    return host if disk is None else dataclasses.replace(host, disk=disk)


def take(directory: Path, disk: Disk | None) -> None:
    taken(directory, disk)


def taken(directory: Path, disk: Disk | None) -> str:
    root = str(directory / "Maildir")
    facts: Facts | None = courier.read_maildir(root)
    folder = Folder("INBOX", root)
    return adopt(folder, facts, on(disk), lambda n: n + 1, dry_run=False).state


def seen(directory: Path) -> tuple[int, int, list[tuple[int, int, list[str], bytes]]]:
    """What clients see."""
    store = MaildirStore(str(directory / "Maildir"), on(None), Remembered())
    inbox = store.open("INBOX")
    table = inbox.table
    rows = [
        (uid, table.flags[row] & 31, table.keywords_of(table.keywords[row]), uidl)
        for row, (uid, uidl) in enumerate(zip(table.uids, inbox.uidls(), strict=True))
    ]
    found = table.uid_validity, table.uid_next, rows
    inbox.close()
    return found


def give(directory: Path, disk: Disk | None) -> None:
    store = MaildirStore(str(directory / "Maildir"), on(disk), Remembered())
    inbox = store.open("INBOX")
    try:
        giving.to_dovecot(inbox, on(disk), dry_run=False, accept_loss=False)
    finally:
        inbox.close()


WHOLE = 55, 12, [(3, 1, [], b"UID7-66"), (9, 4, ["work"], b"UID17-66")]


@pytest.mark.parametrize("torn", [False, True])
def test_an_adoption_that_stops_is_done_again(tmp_path: Path, torn: bool) -> None:
    start(tmp_path / "mail")
    states = []
    for copy, _ in every_stop(tmp_path / "mail", take, torn=torn):
        states.append(taken(copy, None))
        assert seen(copy) == WHOLE
        assert all(
            (copy / "Maildir" / name).read_bytes() == octets
            for name, octets in COURIER.items()
        )
    assert set(states) == {"taken over", "was before"}


@pytest.mark.parametrize("torn", [False, True])
def test_a_release_that_stops_is_done_again(tmp_path: Path, torn: bool) -> None:
    start(tmp_path / "mail")
    take(tmp_path / "mail", None)
    for copy, _ in every_stop(tmp_path / "mail", give, torn=torn):
        validity, uid_next, rows = seen(copy)
        # Where a record is torn UIDNEXT jumps, for nobody knows what it gave away.
        assert (validity, rows) == (WHOLE[0], WHOLE[2])
        assert 12 <= uid_next < 12 + 100 * torn + 1
        give(copy, None)
        facts = dovecot.read_maildir(str(copy / "Maildir"))
        assert facts is not None
        assert (facts.uid_validity, facts.uid_next) == (validity, uid_next)
        assert sorted(facts.uids.values()) == [3, 9]
        assert facts.uidls == {3: b"UID7-66", 9: b"UID17-66"}
        assert seen(copy) == (validity, uid_next, rows)


def mbox_store(directory: Path, disk: Disk | None) -> MboxStore:
    inbox, folders, control = (
        str(directory / name) for name in ("inbox", "mail", "control")
    )
    return MboxStore(inbox, folders, control, on(disk), Remembered())


def take_mbox(directory: Path, disk: Disk | None) -> None:
    store = mbox_store(directory, disk)
    file, control = store.place("INBOX")
    index = str(directory / "mail" / ".imap" / "INBOX")
    host, next_validity = on(disk), store.next_uid_validity
    mbox.adopt("INBOX", file, control, index, host, next_validity)


def give_mbox(directory: Path, disk: Disk | None) -> None:
    store = mbox_store(directory, disk)
    file, control = store.place("INBOX")
    index = str(directory / "mail" / ".imap" / "INBOX")
    host, next_validity = on(disk), store.next_uid_validity
    to_mbox("INBOX", file, control, index, host, next_validity, dry_run=False)


def mbox_seen(directory: Path) -> tuple[int, list[int], list[int]]:
    inbox = mbox_store(directory, None).open("INBOX")
    inbox.refresh()
    found = inbox.table.uid_validity, list(inbox.table.uids), list(inbox.table.keywords)
    assert [inbox.read(uid) for uid in found[1]] == [
        b"Subject: %d\r\n\r\nx\r\n" % n for n in (3, 8, 15)
    ]
    inbox.close()
    return found


@pytest.mark.parametrize("torn", [False, True])
def test_the_same_with_an_mbox(tmp_path: Path, torn: bool) -> None:
    template = tmp_path / "mail"
    for name in ("mail", "control"):
        (template / name).mkdir(parents=True)
    (template / "inbox").write_bytes(MBOX)
    for copy, _ in every_stop(template, take_mbox, torn=torn):
        take_mbox(copy, None)
        assert mbox_seen(copy) == (77, [3, 8, 15], [1, 0, 0])
    take_mbox(template, None)
    for copy, _ in every_stop(template, give_mbox, torn=torn):
        (copy / "inbox.lock").unlink(missing_ok=True)  # of a process that is dead
        assert mbox_seen(copy) == (77, [3, 8, 15], [1, 0, 0])
        give_mbox(copy, None)
        written = (copy / "inbox").read_bytes().split(b"\n\nx\n\n")[:-1]
        assert [fields(header).uid for header in written] == [3, 8, 15]
        assert mbox_seen(copy) == (77, [3, 8, 15], [1, 0, 0])

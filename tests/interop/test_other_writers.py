"""Other programs at work on the same files at the same time: nothing is lost.

procmail delivers, Python's ``mailbox`` rewrites the spool file and renames files of the
Maildir, while LMTP delivers and an IMAP session removes and moves.
"""

import contextlib
import mailbox
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import Wire, deliver, imap_messages, message, uids
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
EACH: Final = 25
_SUBJECT: Final = re.compile(rb"^Subject: (\S+)\r$", re.MULTILINE)


@pytest.fixture
def fresh() -> Iterator[Server]:
    with Server() as server:
        yield server
        assert server.trouble() == []


def together(*works: Callable[[], None]) -> None:
    """Do all of it at the same time."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def subjects(messages: list[bytes]) -> Counter[str]:
    found = [_SUBJECT.search(octets) for octets in messages]
    assert all(found), messages
    return Counter(each[1].decode() for each in found if each)


def names(kind: str) -> list[str]:
    return [f"{kind}-{number}" for number in range(EACH)]


@USERS
def test_deliveries_of_two_programs_do_not_disturb_each_other(
    fresh: Server, programs: Programs, user: User
) -> None:
    deliver(fresh, user, message("first"))
    rules = {
        "maildir": f":0\n{fresh.maildir(user)}/\n",
        "mbox": f":0:\n{fresh.spool(user)}\n",
    }
    rc = programs.file("procmailrc", rules[user.kind])

    def procmail() -> None:
        for name in names("procmail"):
            given = message(name, b"From me\r\n").replace(b"\r\n", b"\n")
            programs.run("procmail", "-f", "other@elsewhere.example", rc, given=given)

    def lmtp() -> None:
        for name in names("lmtp"):
            deliver(fresh, user, message(name, b"From me\r\n"))

    def append() -> None:
        with Wire(fresh, "imap").login(user) as wire:
            for name in names("append"):
                _append(wire, message(name))

    seen: dict[int, str] = {}

    def read() -> None:
        for _ in range(15):
            for uid, name in there(fresh, user).items():
                assert seen.setdefault(uid, name) == name

    together(procmail, lmtp, append, read)
    expected = ["first", *names("procmail"), *names("lmtp"), *names("append")]
    found = there(fresh, user)
    assert sorted(found.values()) == sorted(expected)
    assert found.items() >= seen.items()


def _append(wire: Wire, octets: bytes) -> None:
    wire.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(octets), octets))
    assert wire.until(b"a ")[-1].startswith(b"a OK")


def there(server: Server, user: User) -> dict[int, str]:
    """UID and subject of each message."""
    with Wire(server, "imap").login(user) as wire:
        wire.command(b"s", b"EXAMINE INBOX")
        answer = b"".join(
            wire.command(b"f", b"FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        )
    found = re.findall(
        rb"\* \d+ FETCH \(UID (\d+) .*?\r\nSubject: (\S+)\r\n", answer, re.DOTALL
    )
    return {int(uid): name.decode() for uid, name in found}


def test_a_program_that_rewrites_the_spool_loses_nothing_and_keeps_uids(
    fresh: Server,
) -> None:
    """Python's mailbox locks as others do, writes a new file and renames it."""
    deliver(fresh, MBOX, *[message(name) for name in names("old")])
    before = there(fresh, MBOX)

    def rewrite() -> None:
        for number in range(10):
            _remove(fresh.spool(MBOX), f"old-{number}")

    def lmtp() -> None:
        deliver(fresh, MBOX, *map(message, names("new")))

    def expunge() -> None:
        with Wire(fresh, "imap").login(MBOX) as wire:
            wire.command(b"s", b"SELECT INBOX")
            for name in names("old")[15:]:
                _expunge(wire, name.encode())

    together(rewrite, lmtp, expunge)
    after = there(fresh, MBOX)
    assert sorted(after.values()) == sorted(names("old")[10:15] + names("new"))
    assert _kept(before, after) == _kept(after, before)


def _remove(path: Path, subject: str) -> None:
    """Remove a message as a mail program does, under the locks of the host."""
    spool = mailbox.mbox(path, create=False)
    while True:
        try:
            spool.lock()
            break
        except mailbox.ExternalClashError:
            continue
    [key] = [key for key, each in spool.iteritems() if each["Subject"] == subject]
    del spool[key]
    with contextlib.suppress(mailbox.ExternalClashError):
        spool.flush()  # writes, renames, and then wants to lock the new file at once
    spool.unlock()
    spool.close()


def _expunge(wire: Wire, subject: bytes) -> None:
    [uid] = wire.command(b"f", b"UID SEARCH SUBJECT " + subject)[0].split()[2:]
    wire.command(b"d", b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % uid)
    answer = wire.command(b"e", b"EXPUNGE")
    assert answer[-1].startswith(b"e OK"), answer


def _kept(one: dict[int, str], other: dict[int, str]) -> dict[int, str]:
    """What is in both, as the one has it."""
    return {uid: name for uid, name in one.items() if name in other.values()}


def test_a_program_that_renames_files_of_a_maildir_loses_nothing(
    fresh: Server,
) -> None:
    """Moves from new/ to cur/ and changed flags, while others deliver and move."""
    deliver(fresh, MAILDIR, *[message(name) for name in names("old")])
    before = there(fresh, MAILDIR)
    folder = fresh.maildir(MAILDIR)
    with Wire(fresh, "imap").login(MAILDIR) as wire:
        wire.command(b"c", b"CREATE Kept")

    def rename() -> None:
        for flags in ("S", "FS", "", "RS", "F", "S"):
            _rename_all(folder, flags)

    def lmtp() -> None:
        deliver(fresh, MAILDIR, *map(message, names("new")))

    def move() -> None:
        with Wire(fresh, "imap").login(MAILDIR) as wire:
            wire.command(b"s", b"SELECT INBOX")
            for number in range(10):
                _move(wire, b"old-%d" % number)

    together(rename, lmtp, move)
    inbox = subjects(imap_messages(fresh, MAILDIR))
    kept = subjects(imap_messages(fresh, MAILDIR, "Kept"))
    assert inbox + kept == Counter(names("old") + names("new"))
    assert set(names("old")[:10]) <= set(kept)
    after = there(fresh, MAILDIR)
    assert _kept(before, after) == _kept(after, before)


def _rename_all(folder: Path, flags: str) -> None:
    for path in sorted([*(folder / "new").iterdir(), *(folder / "cur").iterdir()]):
        target = folder / "cur" / f"{path.name.partition(':')[0]}:2,{flags}"
        with contextlib.suppress(FileNotFoundError):  # moved by the server meanwhile
            path.rename(target)


def _move(wire: Wire, subject: bytes) -> None:
    for uid in wire.command(b"f", b"UID SEARCH SUBJECT " + subject)[0].split()[2:]:
        answer = wire.command(b"m", b"UID MOVE %b Kept" % uid)
        assert answer[-1].startswith(b"m OK"), answer


@USERS
def test_two_servers_on_the_same_mail_agree(user: User) -> None:
    """Two processes, one mailbox: the same UIDs, and each sees what the other does."""
    with Server() as one, Server() as two:
        two.share(one)
        two.stop()
        two.start()

        together(
            lambda: deliver(one, user, *map(message, names("one"))),
            lambda: deliver(two, user, *map(message, names("two"))),
        )
        assert sorted(there(one, user).values()) == sorted(names("one") + names("two"))
        assert there(one, user) == there(two, user)
        assert uids(one, user) == uids(two, user)
        with Wire(one, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            wire.send(b"i IDLE\r\n")
            wire.until(b"+ ")
            deliver(two, user, message("late"))
            wire.until(b"* %d EXISTS" % (2 * EACH + 1), 2)
        with Wire(two, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            wire.command(b"d", b"STORE 1:5 +FLAGS.SILENT (\\Deleted)")
            assert wire.command(b"e", b"EXPUNGE")[-1].startswith(b"e OK")
        assert there(one, user) == there(two, user)
        assert len(there(one, user)) == 2 * EACH - 4
        assert one.trouble() + two.trouble() == []

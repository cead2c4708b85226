"""Sessions on one mailbox tell each other what they do, and what others do."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import (
    Wire,
    assert_whole,
    deliver,
    imap,
    imap_messages,
    message,
    pop3_messages,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, Server, User, until

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)

#: Seconds after which an IDLE must have told of a delivery.
SOON: Final = 1.0


@pytest.fixture
def fresh() -> Iterator[Server]:
    with Server() as server:
        for user in (MAILDIR, MBOX):
            deliver(server, user, *[message(f"old-{number}") for number in range(5)])
        yield server
        assert server.trouble() == []


def selected(server: Server, user: User) -> Wire:
    wire = Wire(server, "imap").login(user)
    assert wire.command(b"se", b"SELECT INBOX")[-1].startswith(b"se OK")
    return wire


def untagged(lines: list[bytes]) -> list[bytes]:
    return [line[2:-2] for line in lines[:-1]]


@USERS
def test_noop_tells_of_flags_expunges_and_appends(fresh: Server, user: User) -> None:
    with selected(fresh, user) as one, selected(fresh, user) as other:
        one.command(b"1", b"STORE 2 +FLAGS (\\Flagged $Work)")
        told = untagged(other.command(b"n", b"NOOP"))
        assert len([line for line in told if line.startswith(b"2 FETCH ")]) == 1
        [fetch] = [line for line in told if line.startswith(b"2 FETCH ")]
        assert b"\\Flagged" in fetch
        assert b"$Work" in fetch

        one.command(b"2", b"STORE 1,3 +FLAGS.SILENT (\\Deleted)")
        for wire, command in ((one, b"EXPUNGE"), (other, b"NOOP")):
            rest = ["one", "two", "three", "four", "five"]
            for line in untagged(wire.command(b"3", command)):
                if line.endswith(b" EXPUNGE"):
                    del rest[int(line.split()[0]) - 1]
            assert rest == ["two", "four", "five"]

        octets = message("appended")
        one.send(b"4 APPEND INBOX (\\Seen) {%d+}\r\n" % len(octets) + octets + b"\r\n")
        assert b"[APPENDUID " in one.until(b"4 ")[-1]
        told = untagged(other.command(b"n", b"NOOP"))
        assert b"4 EXISTS" in told
        assert untagged(other.command(b"n", b"NOOP")) == []


@USERS
def test_an_expunge_waits_while_sequence_numbers_are_used(
    fresh: Server, user: User
) -> None:
    """RFC 3501 section 7.4.1: not during FETCH, STORE and SEARCH."""
    with selected(fresh, user) as one, selected(fresh, user) as other:
        before = untagged(other.command(b"f", b"FETCH 1:5 (UID)"))
        one.command(b"1", b"STORE 2 +FLAGS.SILENT (\\Deleted)")
        one.command(b"2", b"EXPUNGE")
        during = untagged(other.command(b"f", b"FETCH 3:5 (UID)"))
        assert [line for line in during if b"UID" in line] == before[2:]
        assert not any(b"EXPUNGE" in line for line in during)
        found = untagged(other.command(b"s", b"SEARCH ALL"))
        assert not any(b"EXPUNGE" in line for line in found)
        stored = other.command(b"t", b"STORE 5 +FLAGS (\\Seen)")
        assert not any(b"EXPUNGE" in line for line in stored)
        assert b"2 EXPUNGE" in untagged(other.command(b"n", b"NOOP"))
        after = untagged(other.command(b"f", b"FETCH 2:4 (UID)"))
        uids = [re.search(rb"UID (\d+)", line) for line in after]
        assert [found and found[1] for found in uids] == [b"3", b"4", b"5"]


def by_lmtp(server: Server, user: User, octets: bytes, programs: Programs) -> None:
    del programs
    deliver(server, user, octets)


def by_another_program(
    server: Server, user: User, octets: bytes, programs: Programs
) -> None:
    """procmail, which knows nothing of us."""
    where = f"{server.maildir(user)}/" if user.kind == "maildir" else server.spool(user)
    rc = programs.file("procmailrc", f"DEFAULT={where}\nLOGFILE={programs.home}/log\n")
    given = octets.replace(b"\r\n", b"\n")
    programs.run("procmail", "-f", "stranger@elsewhere.example", rc, given=given)


def by_hand(server: Server, user: User, octets: bytes, programs: Programs) -> None:
    """A file moved into new/; lines appended to the spool."""
    text = octets.replace(b"\r\n", b"\n")
    if user.kind == "maildir":
        file = programs.file("1.hand.host", text)
        file.rename(server.maildir(user) / "new" / file.name)
        return
    with Path(server.spool(user)).open("ab") as spool:
        spool.write(b"From me Thu Jan  1 00:00:00 2026\n" + text + b"\n")


def by_append(server: Server, user: User, octets: bytes, programs: Programs) -> None:
    del programs
    client = imap(server, user)
    assert client.append("INBOX", "", "", octets)[0] == "OK"
    client.logout()


Way = Callable[[Server, User, bytes, Programs], None]
WAYS: Final[list[Way]] = [by_lmtp, by_another_program, by_hand, by_append]


@USERS
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_idle_tells_of_a_delivery_within_a_second(
    fresh: Server, programs: Programs, user: User, way: Way
) -> None:
    """RFC 2177.  Several in a row: each is told of, and each at once."""
    with selected(fresh, user) as wire:
        wire.send(b"i IDLE\r\n")
        assert wire.line().startswith(b"+ ")
        for number in range(6, 9):
            octets = message(f"{way.__name__}-{number}")
            way(fresh, user, octets, programs)
            begun = time.monotonic()
            wire.until(b"* %d EXISTS" % number, SOON)
            assert time.monotonic() - begun < SOON
        wire.send(b"DONE\r\n")
        assert wire.until(b"i ")[-1].startswith(b"i OK")
        fetched = wire.command(b"f", b"FETCH 8 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        assert f"Subject: {way.__name__}-8\r\n".encode() in fetched


@USERS
def test_idle_tells_of_what_another_session_does(fresh: Server, user: User) -> None:
    with selected(fresh, user) as one, selected(fresh, user) as other:
        other.send(b"i IDLE\r\n")
        assert other.line().startswith(b"+ ")
        one.command(b"1", b"STORE 4 +FLAGS (\\Answered)")
        line = other.until(b"* 4 FETCH", SOON)[-1]
        assert b"\\Answered" in line
        one.command(b"2", b"STORE 4 +FLAGS (\\Deleted)")
        other.until(b"* 4 FETCH", SOON)
        one.command(b"3", b"EXPUNGE")
        other.until(b"* 4 EXPUNGE", SOON)
        other.send(b"DONE\r\n")
        assert other.until(b"i ")[-1].startswith(b"i OK")


@USERS
def test_mail_that_others_deliver_is_served_whole(
    fresh: Server, programs: Programs, user: User
) -> None:
    sent = [message(f"procmail-{number}", b"From me\r\n") for number in range(3)]
    for octets in sent:
        by_another_program(fresh, user, octets, programs)
    stored = imap_messages(fresh, user)
    assert len(stored) == 8
    assert pop3_messages(fresh, user) == stored
    for have, want in zip(stored[5:], sent, strict=True):
        # procmail puts a ">" before From lines of an mbox, and takes it away nowhere.
        assert have.endswith(want), have


def test_flags_that_a_maildir_program_sets_are_seen(fresh: Server) -> None:
    """A file renamed in cur/ is what mutt does."""
    with selected(fresh, MAILDIR) as wire:
        wire.send(b"i IDLE\r\n")
        assert wire.line().startswith(b"+ ")
        folder = fresh.maildir(MAILDIR)
        paths = [path for name in ("new", "cur") for path in (folder / name).iterdir()]
        [path] = [path for path in paths if b"Subject: old-0\n" in path.read_bytes()]
        target = folder / "cur" / f"{path.name.partition(':')[0]}:2,FS"
        path.rename(target)
        line = wire.until(b"* 1 FETCH", SOON)[-1]
        assert b"\\Flagged" in line
        assert b"\\Seen" in line
        target.unlink()
        wire.until(b"* 1 EXPUNGE", SOON)


def test_flags_that_mutt_sets_in_the_spool_are_seen(
    fresh: Server, programs: Programs
) -> None:
    """It writes the whole file anew, and every message keeps its UID."""
    with selected(fresh, MBOX) as wire:
        before = untagged(wire.command(b"f", b"FETCH 1:* (UID)"))
        wire.send(b"i IDLE\r\n")
        assert wire.line().startswith(b"+ ")
        rc = programs.file(
            "muttrc",
            'set quit=yes delete=yes wait_key=no mark_old=no folder="/" record=""\n'
            'push "<first-entry><next-entry><flag-message><first-entry>'
            '<delete-message><sync-mailbox><quit>"\n',
        )
        programs.in_terminal("mutt", "-n", "-F", rc, "-f", fresh.spool(MBOX))
        wire.until(b"* 1 EXPUNGE")
        wire.send(b"DONE\r\n")
        wire.until(b"i ")
        after = untagged(wire.command(b"f", b"FETCH 1:* (UID FLAGS)"))
    uids = [re.search(rb"UID (\d+)", line) for line in after]
    assert [found and found[1] for found in uids] == [
        found[1] for line in before[1:] if (found := re.search(rb"UID (\d+)", line))
    ]
    assert [b"\\Flagged" in line for line in after] == [True, False, False, False]


def test_flags_set_over_imap_are_in_the_spool_when_the_session_ends(
    fresh: Server,
) -> None:
    with selected(fresh, MBOX) as wire:
        wire.command(b"1", b"STORE 2 +FLAGS (\\Flagged \\Seen \\Answered)")
        wire.command(b"2", b"LOGOUT")
    wanted = re.compile(
        rb"^From .*\n(?:X-Keywords:.*\n)?Status: R\S* *\nX-Status: (?=\S*A)(?=\S*F)",
        re.MULTILINE,
    )
    until(lambda: wanted.search(fresh.spool(MBOX).read_bytes()), "flags in the spool")


def test_flags_set_over_imap_are_in_the_names_of_a_maildir(fresh: Server) -> None:
    with selected(fresh, MAILDIR) as wire:
        wire.command(b"1", b"STORE 2 +FLAGS (\\Flagged \\Seen \\Answered)")
        names = os.listdir(fresh.maildir(MAILDIR) / "cur")
        assert [name for name in names if name.endswith(":2,FRS")]


@USERS
def test_a_pop3_session_keeps_its_numbers(fresh: Server, user: User) -> None:
    """RFC 1939 section 8: what another session does is seen by the next one only."""
    with Wire(fresh, "pop3") as wire, selected(fresh, user) as other:
        wire.line()
        for line in (b"USER " + user.name.encode(), b"PASS correct horse"):
            wire.send(line + b"\r\n")
            assert wire.line().startswith(b"+OK")
        with Wire(fresh, "pop3") as second:
            second.line()
            second.send(b"USER %b\r\nPASS correct horse\r\n" % user.name.encode())
            second.line()
            assert second.line().startswith(b"-ERR [IN-USE]")
        other.command(b"1", b"STORE 1 +FLAGS.SILENT (\\Deleted)")
        other.command(b"2", b"EXPUNGE")
        deliver(fresh, user, message("late"))
        wire.send(b"STAT\r\n")
        assert wire.line().startswith(b"+OK 5 ")
        wire.send(b"RETR 1\r\n")
        assert wire.line().startswith(b"-ERR")
        wire.send(b"RETR 2\r\n")
        assert wire.line().startswith(b"+OK")
        assert b"Subject: old-1\r\n" in wire.until(b".\r\n")
        wire.send(b"DELE 3\r\n")
        assert wire.line().startswith(b"+OK")
    # The connection broke without QUIT: nothing is deleted.
    expected = [message(f"old-{number}") for number in range(1, 5)]
    assert_whole(imap_messages(fresh, user), [*expected, message("late")])

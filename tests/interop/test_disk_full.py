"""A disk that is full: a temporary error, nothing left behind, nothing lost.

The mail, or all of maildrop's own files, lie on a file system of a few MiB that the
test mounts (tmpfs, as root).
"""

import contextlib
import os
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import (
    HOST,
    SENDER,
    Wire,
    assert_whole,
    deliver,
    imap_messages,
    message,
    pop3_messages,
    uids,
)
from tests.interop.server import MAILDIR, MBOX, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
SMALL: Final = 3 << 20  # octets
LARGE: Final = message("large", b"%070d\r\n" % 7 * 70_000)  # 5 MB
MIDDLE: Final = message("middle", b"%070d\r\n" % 7 * 4_000)  # 290 KB


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A small file system at ``path``."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={SMALL},mode=1777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextlib.contextmanager
def on_small_disks(*names: str) -> Iterator[Server]:
    """A server, with a small disk at each of the directories in its own."""
    server = Server()
    with contextlib.ExitStack() as stack:
        stack.callback(server.remove)  # when nothing is mounted there any more
        for name in names:
            path = server.directory / name
            kept = os.listdir(path) if path.is_dir() else []
            stack.enter_context(small_disk(path))
            for each in kept:
                (path / each).mkdir()
        with server:
            try:
                yield server
            finally:
                assert server.trouble() == []


def files(*directories: Path) -> set[str]:
    return {
        f"{directory}/{name}"
        for top in directories
        for directory, _, names in os.walk(top)
        for name in names
        if not name.startswith("maildrop.")
    }


def refused(server: Server, port: str, user: User, octets: bytes) -> bytes:
    """What is answered to a message that has no room."""
    cls = smtplib.LMTP if port == "lmtp" else smtplib.SMTP
    with cls(HOST, server.ports[port]) as client:
        try:
            client.sendmail(SENDER, [user.address], octets)
        except smtplib.SMTPDataError as error:
            reply = error.smtp_error
            text = reply if isinstance(reply, bytes) else reply.encode()
            return b"%d %b" % (error.smtp_code, text)
    raise AssertionError("taken")


@USERS
@pytest.mark.parametrize("port", ["smtp", "lmtp"])
def test_a_message_without_room_for_it_is_refused_for_now(
    user: User, port: str
) -> None:
    """RFC 5321 section 4.2.2: 452, insufficient system storage."""
    with on_small_disks("home", "spool") as server:
        deliver(server, user, message("before"))
        before = files(server.directory / "home", server.directory / "spool")
        for _ in range(3):
            answer = refused(server, port, user, LARGE)
            assert answer.startswith(b"452 4.3.1 "), answer
        assert files(server.directory / "home", server.directory / "spool") == before
        assert os.listdir(server.state / "scratch") == []
        deliver(server, user, message("after"))
        assert_whole(imap_messages(server, user), [message("before"), message("after")])


@pytest.mark.parametrize("port", ["smtp", "lmtp"])
def test_a_message_without_room_while_it_is_received_is_refused_for_now(
    port: str,
) -> None:
    """The connection goes on, and takes the next message."""
    with on_small_disks("state") as server:
        cls = smtplib.LMTP if port == "lmtp" else smtplib.SMTP
        with cls(HOST, server.ports[port]) as client:
            for _ in range(2):
                with pytest.raises(smtplib.SMTPDataError) as caught:
                    client.sendmail(SENDER, [MAILDIR.address], LARGE)
                assert caught.value.smtp_code == 452
                assert str(caught.value.smtp_error)[2:].startswith("4.3.1")
                client.sendmail(SENDER, [MAILDIR.address], message("small"))
        assert os.listdir(server.state / "scratch") == []
        assert len(imap_messages(server, MAILDIR)) == 2


@USERS
def test_an_append_without_room_is_refused_and_the_session_goes_on(user: User) -> None:
    with on_small_disks("home", "spool") as server:
        with Wire(server, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            wire.send(b"a APPEND INBOX {%d}\r\n" % len(LARGE))
            assert wire.line().startswith(b"+")
            wire.send(LARGE + b"\r\n")
            answer = wire.until(b"a ")[-1]
            assert answer.startswith(b"a NO "), answer
            assert b"SERVERBUG" not in answer
            small = message("small")
            wire.send(b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(small), small))
            assert wire.until(b"b ")[-1].startswith(b"b OK")
        assert imap_messages(server, user) == [message("small")]
        left = files(server.directory / "home", server.directory / "spool")
        assert len(left) - sum("/maildrop" in name for name in left) <= 3


@USERS
@pytest.mark.parametrize("whole", [False, True], ids=["mail", "mail-and-state"])
def test_a_disk_that_fills_up_loses_nothing_and_can_be_cleared(
    user: User, whole: bool
) -> None:
    """Until the last octet; then mail is read, removed, and comes in again."""
    names = ("home", "spool", "state") if whole else ("home", "spool")
    with on_small_disks(*names) as server:
        taken = 0
        with smtplib.LMTP(HOST, server.ports["lmtp"]) as client:
            for octets in (MIDDLE, message("small"), message("tiny", b"")):
                answers = 0
                while answers < 3:
                    try:
                        client.sendmail(SENDER, [user.address], octets)
                        taken += 1
                    except smtplib.SMTPDataError as error:
                        assert error.smtp_code == 452, error
                        answers += 1
        _fill(server, names)
        with pytest.raises(smtplib.SMTPDataError):
            deliver(server, user, MIDDLE)
        stored = imap_messages(server, user)
        assert len(stored) == taken
        assert pop3_messages(server, user) == stored
        before = uids(server, user)
        server.kill()
        server.start()
        assert imap_messages(server, user) == stored
        assert uids(server, user) == before

        with Wire(server, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            for _ in range(3):
                wire.command(b"d", b"STORE 1:3 +FLAGS.SILENT (\\Deleted)")
                answer = wire.command(b"e", b"EXPUNGE")[-1]
                if answer.startswith(b"e OK"):
                    break
        _empty(server, names)
        with Wire(server, "imap").login(user) as wire:
            wire.command(b"s", b"SELECT INBOX")
            marked = wire.command(b"d", b"STORE 1:3 +FLAGS.SILENT (\\Deleted)")[-1]
            assert marked.startswith(b"d OK"), marked
            assert wire.command(b"e", b"EXPUNGE")[-1].startswith(b"e OK")
        rest = imap_messages(server, user)
        assert set(rest) < set(stored)
        late = message("late")
        deliver(server, user, late)
        now = imap_messages(server, user)
        assert now[:-1] == rest
        assert_whole(now[-1:], [late])
        validity, found = uids(server, user)
        assert validity == before[0]
        assert set(found[:-1]) < set(before[1])
        assert found[-1] > before[1][-1]


def _fill(server: Server, names: tuple[str, ...]) -> None:
    """Take what room is left."""
    for name in names:
        with (
            contextlib.suppress(OSError),
            (server.directory / name / "maildrop.filler").open("wb", 0) as filler,
        ):
            while True:
                filler.write(bytes(4096))


def _empty(server: Server, names: tuple[str, ...]) -> None:
    """Give back the room that ``_fill`` took, and a little more."""
    for name in names:
        path = server.directory / name
        (path / "maildrop.filler").unlink()
        options = f"remount,size={2 * SMALL}"
        subprocess.run(["mount", "-o", options, path], check=True)

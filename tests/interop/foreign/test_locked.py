"""An mbox that another program keeps locked: everybody is told so, nobody hangs."""

import fcntl
import os
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import SENDER, Wire, deliver, lmtp, message
from tests.interop.server import Server, User

#: Seconds that the server waits for a lock, and some more.
PATIENCE: Final = 15.0
USERS: Final = (User("max", "mbox"), User("moritz", "mbox"))


@pytest.fixture
def filled() -> Iterator[Server]:
    """A server with a message in each mbox."""
    with Server(users=USERS) as server:
        for user in USERS:
            deliver(server, user, message("one"))
        yield server
        assert server.trouble() == []


def select(server: Server, user: User) -> bytes:
    with Wire(server, "imap") as wire:
        wire.login(user)
        return wire.command(b"s", b"SELECT INBOX")[-1]


def log_in(server: Server, user: User) -> bytes:
    with Wire(server, "pop3") as wire:
        wire.line()
        wire.send(f"USER {user.name}\r\nPASS {user.password}\r\n".encode())
        wire.line()
        return wire.line()


def receive(server: Server, user: User) -> bytes:
    with lmtp(server) as client:
        try:
            client.sendmail(SENDER, [user.address], message("two"))
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {error.smtp_error!r}".encode()
    return b""


ASKED: Final = {"imap": select, "pop3": log_in, "lmtp": receive}


def lock_with_fcntl(spool: Path) -> Callable[[], None]:
    fd = os.open(spool, os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    return lambda: os.close(fd)


def lock_with_a_dotlock(spool: Path) -> Callable[[], None]:
    """As a script does that knows no other lock."""
    dotlock = spool.with_name(f"{spool.name}.lock")
    dotlock.write_bytes(b"%d\n" % os.getpid())
    return dotlock.unlink


def test_a_locked_mbox_is_in_use_for_all_and_hangs_nobody(filled: Server) -> None:
    """RFC 5530 section 3, RFC 2449 section 8.1.2, RFC 3463 section 3.3."""
    before = [filled.spool(user).read_bytes() for user in USERS]
    locks = (lock_with_fcntl, lock_with_a_dotlock)
    releases = [lock(filled.spool(u)) for u, lock in zip(USERS, locks, strict=True)]
    for user in USERS:
        os.utime(filled.spool(user))  # somebody is at work on it
    answers: dict[tuple[str, str], bytes] = {}

    def ask(user: User, name: str) -> None:
        answers[user.name, name] = ASKED[name](filled, user)

    threads = [
        threading.Thread(target=ask, args=(user, name))
        for user in USERS
        for name in ASKED
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < PATIENCE
    for user in USERS:
        assert answers[user.name, "imap"].startswith(b"s NO [INUSE]")
        assert answers[user.name, "pop3"].startswith(b"-ERR [IN-USE]")
        assert answers[user.name, "lmtp"].startswith(b"450 b'4.2.0 ")
    assert [filled.spool(user).read_bytes() for user in USERS] == before
    for release in releases:
        release()
    for user in USERS:
        assert select(filled, user).startswith(b"s OK")
        assert receive(filled, user) == b""

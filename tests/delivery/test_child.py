"""Programs that are started for others: their rights, their time, their end."""

import os
import select
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path as File

import pytest

from maildrop.app.privileges import Kernel
from maildrop.delivery.child import Children, Ending
from maildrop.mailbox.account import Account

ROOT = os.geteuid() == 0
#: Whom programs run as: somebody else where we may choose, else ourselves.
UID, GID = (65534, 65534) if ROOT else (os.geteuid(), os.getegid())
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "GREETING": "hello"}


@contextmanager
def as_owner(account: Account) -> Iterator[None]:
    """Files are made as somebody else, where we may choose."""
    kernel = Kernel()
    if ROOT:
        kernel.set_user(account.uid or 0)
    try:
        yield
    finally:
        if ROOT:
            kernel.set_user(0)


def children(*, timeout: float = 20.0, most: int = 1 << 20) -> Children:
    return Children(
        as_owner,
        lambda account: (account.uid or 0, account.gid or 0) if ROOT else None,
        timeout=timeout,
        most=most,
    )


def somebody(home: str = "/", uid: int = UID, groups: tuple[int, ...] = ()) -> Account:
    return Account("somebody", home, "", uid, GID, groups)


def run(
    line: str,
    *,
    message: bytes = b"",
    account: Account | None = None,
    timeout: float = 20.0,
    most: int = 1 << 20,
) -> Ending:
    arguments = ["/bin/sh", "-c", line]
    rights = account or somebody()
    programs = children(timeout=timeout, most=most)
    return programs.run(arguments, rights, ENVIRONMENT, [message[:3], message[3:]])


def test_it_reads_the_message_and_is_heard() -> None:
    ending = run("cat; echo $GREETING; echo trouble >&2; exit 3", message=b"one\ntwo\n")
    assert ending.code == 3
    assert ending.output == b"one\ntwo\nhello\ntrouble\n"
    assert not ending.trouble


def test_it_need_not_read_the_message() -> None:
    assert run("exit 0", message=bytes(1 << 20)).code == 0


def test_it_may_open_its_input_by_name() -> None:
    """The file in memory belongs to whoever's rights are in use."""
    ending = run("wc -c < /proc/self/fd/0", message=b"12345")
    assert ending.output == b"5\n"


def test_all_its_rights_are_those_of_the_account() -> None:
    """Real, effective, saved and file system ids, and all groups."""
    groups = (65533, 65532) if ROOT else ()
    account = somebody(groups=groups)
    ending = run("cat /proc/self/status", account=account)
    status = dict(
        line.split(":\t", 1)
        for line in ending.output.decode().splitlines()
        if ":" in line
    )
    assert status["Uid"].split() == [str(UID)] * 4
    assert status["Gid"].split() == [str(GID)] * 4
    if ROOT:
        assert status["Groups"].split() == sorted(map(str, groups))
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_nothing_of_ours_is_open_in_it(tmp_path: File) -> None:
    with open(tmp_path / "secret", "wb") as file:
        os.set_inheritable(file.fileno(), True)
        listed = run("ls -l /proc/self/fd").output.decode()
    assert "secret" not in listed


@pytest.fixture
def home() -> Iterator[File]:
    """A directory to which others find the way, unlike to pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        found = File(name).resolve()
        found.chmod(0o755)
        yield found


def test_it_begins_at_home_in_a_session_of_its_own(home: File) -> None:
    ending = run("pwd; umask; ps -o sid= -p $$", account=somebody(str(home)))
    path, umask, session = ending.output.decode().split()
    assert (path, umask) == (str(home), "0077")
    assert int(session) != os.getsid(0)


def test_without_a_home_it_begins_at_the_root() -> None:
    assert run("pwd", account=somebody("/nowhere")).output == b"/\n"


@pytest.mark.parametrize("uid", [0, 12345])
def test_nothing_is_started_with_rights_that_must_not_be_had(uid: int) -> None:
    alone = Children(lambda _: nullcontext(), lambda _: None, own_uid=12344)
    ending = alone.run(["/bin/true"], somebody(uid=uid), ENVIRONMENT, [])
    assert ending.code == -1
    assert ending.trouble in {
        "nothing is run as root",
        "cannot take on the rights of uid 12345: maildrop is not root",
    }


def test_root_runs_nothing_as_itself() -> None:
    alone = Children(lambda _: nullcontext(), lambda _: None, own_uid=0)
    account = Account("virtual", "/", "memory:")
    assert alone.objection(account) == "nothing is run as root"


def test_a_program_that_is_not_there() -> None:
    ending = children().run(["/nowhere/x"], somebody(), ENVIRONMENT, [])
    assert ending.trouble == "it cannot be started: No such file or directory"


def test_a_program_that_dies_by_a_signal() -> None:
    ending = run("kill -SEGV $$")
    assert (ending.code, ending.trouble) == (-1, "it was ended by signal 11")


def test_a_program_that_hangs_is_killed_with_all_it_started() -> None:
    ending = run(
        "(exec cat /dev/zero > /dev/null) & echo $!; cat /dev/zero > /dev/null",
        timeout=0.2,
    )
    assert ending.trouble == "it was killed after 0.2 seconds"
    assert ending.code == -1
    child = int(ending.output)
    try:
        gone = os.pidfd_open(child)
    except ProcessLookupError:
        return
    try:
        assert select.select([gone], [], [], 10)[0]
    finally:
        os.close(gone)


def test_of_much_output_the_beginning_is_kept() -> None:
    ending = run("head -c 3000000 /dev/zero | tr '\\0' x; exit 1", most=1 << 30)
    assert (ending.code, ending.output) == (1, b"x" * 4096)


def test_output_without_end_ends() -> None:
    ending = run("exec cat /dev/zero")
    assert "octets of output" in ending.trouble


def test_what_it_leaves_running_is_not_waited_for() -> None:
    ending = run("(exec 0</dev/null; cat /dev/zero > /dev/null) & echo $!", timeout=30)
    assert ending.code == 0
    assert not ending.trouble
    os.kill(int(ending.output), 9)


def test_after_stop_nothing_begins() -> None:
    programs = children()
    programs.stop()
    ending = programs.run(["/bin/true"], somebody(), ENVIRONMENT, [])
    assert ending.trouble == "it cannot be started: maildrop stops"

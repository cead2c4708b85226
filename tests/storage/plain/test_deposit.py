"""Deposits: mail in files of others, once, whatever happens."""

import contextlib
import itertools
import os
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import AccessDenied, MailboxInUse, NoSpace
from maildrop.storage.index.host import Host
from maildrop.storage.plain.deposit import Deposits
from maildrop.storage.plain.mbox import MboxSource
from tests.crash.stopping import QuickDisk, Stopped, StoppingDisk

MESSAGE = b"Delivered-To: bob@example.org\nReceived: id 7\nSubject: x\n\nhi\nFrom me\n"
OTHER = b"Delivered-To: bob@example.org\nReceived: id 8\nSubject: y\n\nother\n"


def host(disk: Disk | None = None) -> Host:
    return Host(
        disk=disk or QuickDisk(),
        clock=lambda: 1000.0,
        monotonic=itertools.count().__next__,
        sleep=lambda _: None,
        name=b"mail:host",
        process=os.getpid(),
        boot=bytes(16),
        random=os.urandom,
    )


def append(path: Path, message: bytes = MESSAGE, disk: Disk | None = None) -> None:
    machine = host(disk)
    Deposits(lambda: machine).append(str(path), message, "ann@far.example", 0.0)


def put(path: Path, key: str = "ID1R0", disk: Disk | None = None) -> None:
    machine = host(disk)
    Deposits(lambda: machine).put(f"{path}/", MESSAGE, key, 5.0)


def mbox(path: Path) -> list[bytes]:
    source = MboxSource(str(path), "INBOX", host())
    return [
        bytes(outside.content.octets()).replace(b"\r\n", b"\n")
        for outside in source.read(lambda _: True)
    ]


def test_a_message_is_appended(tmp_path: Path) -> None:
    file = tmp_path / "box"
    append(file)
    append(file, OTHER)
    assert mbox(file) == [MESSAGE, OTHER]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(
        b"From ann@far.example Thu Jan  1 00:00:00 1970\nDelivered-To: "
    )
    assert b"\n>From me\n" in file.read_bytes()
    assert os.listdir(tmp_path) == ["box"]


def test_what_was_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "box"
    file.write_bytes(b"From x@y Thu Jan  1 00:00:00 1970\nSubject: old\n\nno line end")
    append(file)
    assert mbox(file)[1:] == [MESSAGE]


def test_a_message_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "box"
    append(file)
    append(file, OTHER)
    append(file)
    assert mbox(file) == [MESSAGE, OTHER]


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_anywhere_leaves_it_once(tmp_path: Path, torn: bool) -> None:
    for calls in itertools.count():
        file = tmp_path / f"box{calls}"
        append(file, OTHER)
        disk = StoppingDisk(calls, torn=torn)
        try:
            append(file, disk=disk)
        except Stopped:
            lock = Path(f"{file}.lock")
            if lock.exists():  # of a process that is no more
                lock.write_text(f"{2**22 - 1}\n")
        append(file)
        assert mbox(file) == [OTHER, MESSAGE], calls
        if not disk.stopped:
            break
    assert calls > 4


class FullDisk(QuickDisk):
    """Full after some octets of a message."""

    def write_at(self, fd: int, octets: bytes | memoryview, offset: int) -> None:
        super().write_at(fd, octets[:20], offset)
        raise OSError(28, "No space left on device")


def test_on_a_full_disk_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "box"
    append(file, OTHER)
    before = file.read_bytes()
    with pytest.raises(NoSpace):
        append(file, disk=FullDisk())
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("link", "symbolic links: no mailbox"),
        ("second name", "has several names"),
        ("program", "can be executed"),
        ("directory", "Is a directory: no mailbox"),
        ("missing", "No such file or directory: no mailbox"),
    ],
)
def test_what_is_no_mailbox_is_not_written(
    tmp_path: Path, what: str, reason: str
) -> None:
    file, real = tmp_path / "box", tmp_path / "real"
    real.write_bytes(b"")
    match what:
        case "link":
            file.symlink_to(real)
        case "second name":
            os.link(real, file)
        case "program":
            file.write_bytes(b"")
            file.chmod(0o700)
        case "directory":
            file.mkdir()
        case "missing":
            file = tmp_path / "nowhere" / "box"
    with pytest.raises(AccessDenied, match=reason):
        append(file)
    assert real.read_bytes() == b""


def test_a_locked_file_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "box"
    append(file, OTHER)
    (tmp_path / "box.lock").write_text(f"{os.getpid()}\n")
    with pytest.raises(MailboxInUse):
        append(file)
    assert mbox(file) == [OTHER]


def test_a_message_is_put_into_a_maildir(tmp_path: Path) -> None:
    box = tmp_path / "box"
    put(box)
    (name,) = os.listdir(box / "new")
    assert name == "5.QID1R0.mail\\072host"
    assert (box / "new" / name).read_bytes() == MESSAGE
    assert os.listdir(box / "tmp") == []
    put(box)
    (box / "new" / name).rename(box / "cur" / f"{name}:2,S")
    put(box)
    put(box, "ID1R1")
    assert len(os.listdir(box / "cur") + os.listdir(box / "new")) == 2


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_anywhere_leaves_it_once_in_a_maildir(
    tmp_path: Path, torn: bool
) -> None:
    for calls in itertools.count():
        box = tmp_path / f"box{calls}"
        disk = StoppingDisk(calls, torn=torn)
        with contextlib.suppress(Stopped):
            put(box, disk=disk)
        put(box)
        (name,) = os.listdir(box / "new")
        assert (box / "new" / name).read_bytes() == MESSAGE
        assert os.listdir(box / "tmp") == []
        if not disk.stopped:
            break
    assert calls > 4


def test_a_maildir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"")
    with pytest.raises(AccessDenied, match="no mailbox"):
        put(tmp_path / "box")

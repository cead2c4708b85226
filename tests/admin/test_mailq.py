"""``mailq``: the queue, as programs expect it to be shown."""

import os
import socket
from pathlib import Path

import pytest

from maildrop.admin.entry import sendmail
from maildrop.admin.mailq import Shown, listing
from maildrop.durable import Content, Disk
from maildrop.queue.drop import Dropped, prepare, put
from maildrop.queue.entry import Entry, Kind, Result, Status, Waiting
from maildrop.queue.spool import Spool
from tests.admin.conftest import Command

EMPTY = "Mail queue is empty\n"


@pytest.fixture
def queue(maildrop: Command) -> Path:
    return maildrop.directory / "state" / "queue"


def mailq(maildrop: Command, capsys: pytest.CaptureFixture[str]) -> str:
    assert sendmail("mailq", [], str(maildrop.config)) == 0
    return capsys.readouterr().out


def test_an_empty_queue_is_said_to_be_empty(
    maildrop: Command, queue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mailq(maildrop, capsys) == EMPTY
    prepare(str(queue / "drop"), Disk())
    assert mailq(maildrop, capsys) == EMPTY
    Spool(str(queue), Disk(), lambda: 0.0, "/").prepare()
    assert mailq(maildrop, capsys) == EMPTY


def test_what_waits_is_shown(
    maildrop: Command, queue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = Spool(str(queue), Disk(), lambda: 1000.0, str(maildrop.directory))
    spool.prepare()
    waiting = [Waiting(n, f"r{n}@far.example", "smtp", "") for n in range(2)]
    entry = Entry("0ABCDEFGHJKMN", "ann@example.org", 1000.0, 0, waiting)
    spool.add(entry, Content.of(b"x" * 3000))
    taken = spool.take(entry.id)
    assert taken is not None
    taken.note(
        results=[
            Result(0, Kind.WAITING, Status("4.4.1", "no\nanswer")),
            Result(1, Kind.RELAYED, Status("2.0.0", "ok")),
        ],
        held=True,
    )
    taken.let_go()
    prepare(str(queue / "drop"), Disk())
    put(str(queue / "drop"), Dropped(("bob",)), b"y" * 50, Disk(), os.urandom)
    lines = mailq(maildrop, capsys).splitlines()
    assert lines[0].startswith("-Queue ID-  --Size--")
    assert lines[1].startswith("0ABCDEFGHJKMN!")
    assert lines[1].endswith(" ann@example.org")
    assert lines[2].strip() == "(no answer)"
    assert lines[3].split() == ["r0@far.example"]
    assert "+" in lines[5]
    assert lines[5].endswith(f" uid {os.getuid()}")
    assert lines[6].split() == ["bob"]
    assert lines[-1] == "-- 2 Kbytes in 2 Requests."


def test_what_cannot_be_read_hides_no_other(
    maildrop: Command, queue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(str(queue / "drop"), Disk())
    (queue / "entries").mkdir()
    (queue / "entries" / "0DAMAGED").write_bytes(b"junk\n")
    (queue / "drop" / ("0" * 32 + ".mail")).write_bytes(b"junk")
    (queue / "drop" / ("1" * 32 + ".mail")).symlink_to("/etc/passwd")
    (queue / "drop" / ("2" * 32 + ".new")).write_bytes(b"")
    out = mailq(maildrop, capsys)
    assert "0DAMAGED!" in out
    assert out.endswith("-- 0 Kbytes in 1 Request.\n")


def test_who_may_not_see_it_is_told(
    maildrop: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: str) -> bool:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os.path, "isdir", refuse)
    assert sendmail("sendmail", ["-bp"], str(maildrop.config)) == os.EX_NOPERM
    assert "only root" in capsys.readouterr().err


def test_without_a_server_nothing_can_be_tried(
    maildrop: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sendmail("sendmail", ["-q"], str(maildrop.config)) == os.EX_UNAVAILABLE
    assert "tried when it starts" in capsys.readouterr().err


def test_who_may_not_ask_the_server_is_told(
    maildrop: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: socket.socket, path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert sendmail("sendmail", ["-q"], str(maildrop.config)) == os.EX_NOPERM
    said = capsys.readouterr().err
    assert "only root" in said
    assert "starts" not in said
    assert maildrop("status").status == os.EX_NOPERM


def test_a_report_has_a_sender_that_programs_know() -> None:
    text = "".join(listing([Shown("ID", " ", 10, 0.0, "", [("bob@x", "")])]))
    assert "MAILER-DAEMON\n" in text
    assert text.endswith("-- 0 Kbytes in 1 Request.\n")

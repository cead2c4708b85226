"""The command, and the names by which programs send mail."""

import io
import os
from pathlib import Path

import pytest

from maildrop.admin.entry import run, sendmail
from maildrop.durable import Disk
from maildrop.queue.drop import parse, prepare
from maildrop.queue.naming import entry_id
from maildrop.sendmail.setting import Setting
from tests.admin.conftest import Command, Input, loaded, within


@pytest.fixture
def drop(maildrop: Command) -> Path:
    directory = maildrop.directory / "state" / "queue" / "drop"
    prepare(str(directory), Disk())
    return directory


def left(drop: Path) -> tuple[tuple[str, ...], bytes]:
    [name] = os.listdir(drop)
    octets = (drop / name).read_bytes()
    dropped, start = parse(octets)
    return dropped.recipients, octets[start:]


@pytest.mark.parametrize("form", ["--config FILE", "--config=FILE"])
def test_a_message_is_handed_in(
    maildrop: Command, drop: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("sys.stdin", Input(b"Subject: hi\n\nbody\n"))
    words = [word.replace("FILE", str(maildrop.config)) for word in form.split()]
    assert run(["/opt/bin/maildrop", *words, "sendmail", "-i", "bob"]) == 0
    recipients, message = left(drop)
    assert recipients == ("bob",)
    assert message.endswith(b"Subject: hi\r\n\r\nbody\r\n")


def test_it_is_a_command_like_others(maildrop: Command, drop: Path) -> None:
    outcome = maildrop("sendmail", "-v", "-f", "a@x", "--", "bob", given=b"body\n")
    [name] = os.listdir(drop)
    file = drop / name
    told = entry_id(name, [file.read_bytes()], file.stat())
    assert (outcome.status, outcome.out) == (0, f"handed in as {told} for bob\n")
    assert left(drop)[1].endswith(b"\r\n\r\nbody\r\n")


def test_it_is_called_by_its_own_name(
    maildrop: Command, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Input(b"To: bob, eve\n\nbody\n"))
    assert run(["/usr/sbin/sendmail", "-C", str(maildrop.config), "-t"]) == 0
    assert left(drop)[0] == ("bob", "eve")


@pytest.mark.parametrize(
    ("line", "given", "status", "says"),
    [
        ("-bd", b"", os.EX_USAGE, "the server is `twistd maildrop`"),
        ("-i", b"", os.EX_USAGE, "nobody is to get it"),
        ("-z", b"", os.EX_USAGE, "there is no option -z"),
        ("-t", b"To: a b c\n\n", os.EX_DATAERR, "not an address: 'a b c'"),
        ("-F a\nb bob", b"", os.EX_DATAERR, "control character"),
        ("bob", b"x" * 2000, os.EX_DATAERR, "over 1000 octets"),
        ("-C /none bob", b"", os.EX_CONFIG, "/none: No such file"),
    ],
)
def test_exit_statuses_are_those_of_sysexits(
    maildrop: Command,
    drop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    given: bytes,
    status: int,
    says: str,
) -> None:
    with maildrop.config.open("a") as config:
        config.write("[limits]\nmessage = 1000\n")
    monkeypatch.setattr("sys.stdin", Input(given))
    assert sendmail("sendmail", line.split(" "), str(maildrop.config)) == status
    err = capsys.readouterr().err
    assert err.startswith("sendmail: ")
    assert says in err
    assert os.listdir(drop) == []


def test_without_a_drop_directory_it_is_to_be_tried_again(
    maildrop: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Input(b"body\n"))
    assert sendmail("sendmail", ["bob"], str(maildrop.config)) == os.EX_TEMPFAIL
    assert "maildrop was never started" in capsys.readouterr().err


def test_a_configuration_that_may_not_be_read_is_said_to_be_why(
    maildrop: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    setting = Setting("/etc/x.toml", "/nowhere", "h", "d", 1000, readable=False)
    monkeypatch.setattr("maildrop.admin.entry.load", lambda _: setting)
    monkeypatch.setattr("sys.stdin", Input(b"body\n"))
    assert sendmail("sendmail", ["bob"], str(maildrop.config)) == os.EX_TEMPFAIL
    said = capsys.readouterr().err
    assert "/nowhere/queue/drop is not there" in said
    assert "/etc/x.toml may not be read" in said


def test_an_input_that_fails_is_told(
    maildrop: Command,
    drop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error", "pipe")

    given = Input(b"")
    given.buffer = Broken()
    monkeypatch.setattr("sys.stdin", given)
    assert sendmail("sendmail", ["-i", "bob"], str(maildrop.config)) == os.EX_IOERR
    assert capsys.readouterr().err == "sendmail: pipe: Input/output error\n"
    assert os.listdir(drop) == []


def test_all_else_is_a_command_of_maildrop(
    maildrop: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    config = f"--config={maildrop.config}"
    assert run(["maildrop", config, "user", "list"]) == 0
    assert run(["maildrop", config, "sendmail", "--help"]) == 0
    assert "-t takes recipients" in capsys.readouterr().out
    assert run(["maildrop", "nonsense"]) == os.EX_USAGE


#: What takes longer to load than sending a message takes.
HEAVY = (
    *("twisted", "zope", "click", "rich", "cryptography", "OpenSSL", "passlib"),
    *("dataclasses", "inspect", "ipaddress", "email", "socket", "ssl", "asyncio"),
    *("logging", "subprocess", "threading", "importlib.metadata", "hashlib"),
    *("maildrop.app", "maildrop.control", "maildrop.storage", "maildrop.mailbox"),
)


@pytest.mark.usefixtures("drop")
def test_sending_mail_loads_little(maildrop: Command) -> None:
    """Cron and scripts wait for it; what is slow to load is not needed."""
    text = maildrop.config.read_text()
    maildrop.config.write_text('hostname = "mail.example.org"\n' + text)
    found = loaded(maildrop, "sendmail", "-f", "a@b", "bob", given=b"hi\n")
    assert "maildrop.queue.drop" in found
    assert within(found, HEAVY) == []

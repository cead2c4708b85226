"""The subscriptions file, in both versions."""

from pathlib import Path

from maildrop.storage.index.host import Host
from maildrop.storage.maildir.subscriptions import Subscriptions


def on(path: Path) -> Subscriptions:
    return Subscriptions(str(path), Host.here())


def test_a_new_file_is_of_version_two(tmp_path: Path) -> None:
    on(tmp_path).add("Work/Mai")
    on(tmp_path).add("Entwürfe")
    octets = (tmp_path / "subscriptions").read_bytes()
    assert octets == b"V\t2\n\nWork\tMai\nEntw&APw-rfe\n"
    assert on(tmp_path).names() == ["Entwürfe", "Work/Mai"]


def test_names_added_together_are_there_once_each(tmp_path: Path) -> None:
    on(tmp_path).add("B")
    on(tmp_path).add("C", "B", "A", "C")
    assert (tmp_path / "subscriptions").read_bytes() == b"V\t2\n\nB\nC\nA\n"


def test_a_file_of_version_one_stays_one(tmp_path: Path) -> None:
    file = tmp_path / "subscriptions"
    file.write_bytes(b"INBOX\nWork.Mai\n")
    assert on(tmp_path).names() == ["INBOX", "Work/Mai"]
    on(tmp_path).add("v1.2")
    on(tmp_path).remove("Work/Mai")
    assert file.read_bytes() == b"INBOX\nv1&AC4-2\n"


def test_lines_that_name_nothing_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "subscriptions"
    file.write_bytes(b"V\t2\n\nbad&\n\xff\nGood\n")
    assert on(tmp_path).names() == ["Good"]
    on(tmp_path).remove("Good")
    assert file.read_bytes() == b"V\t2\n\nbad&\n\xff\n"


def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    on(tmp_path).remove("A")
    assert not (tmp_path / "subscriptions").exists()
    on(tmp_path).add("A")
    before = (tmp_path / "subscriptions").stat().st_ino
    on(tmp_path).add("A")
    assert (tmp_path / "subscriptions").stat().st_ino == before


def test_beside_an_mbox_the_file_is_hidden_and_has_slashes(tmp_path: Path) -> None:
    (tmp_path / ".subscriptions").write_bytes(b"Work/a.b\nplain\n")
    subscriptions = Subscriptions(str(tmp_path), Host.here(), "/")
    subscriptions.add("Gr\u00fc\u00dfe/x")
    assert subscriptions.names() == ["Gr\u00fc\u00dfe/x", "Work/a.b", "plain"]
    assert (tmp_path / ".subscriptions").read_bytes().endswith(b"\nGr&APwA3w-e/x\n")


def test_beside_an_mbox_version_2_is_read_and_written(tmp_path: Path) -> None:
    subscriptions = Subscriptions(str(tmp_path), Host.here(), "/")
    subscriptions.add("Work/a.b")
    assert (tmp_path / ".subscriptions").read_bytes() == b"V\t2\n\nWork\ta.b\n"
    assert subscriptions.names() == ["Work/a.b"]
    # Dovecot takes FILE.lock for somebody's lock.
    assert not (tmp_path / ".subscriptions.lock").exists()

"""Trusted files: who could have written what is done in somebody's name."""

import os
from pathlib import Path as File

import pytest

from maildrop.delivery.trusted import read
from maildrop.errors import StorageFailure

UID = os.geteuid()


def doubt(path: File, uid: int | None = UID, *, group: bool = False) -> str | None:
    found = read(str(path), uid, 1000, group=group)
    return None if found is None else found.doubt


@pytest.fixture
def file(tmp_path: File) -> File:
    home = tmp_path / "home"
    home.mkdir()
    file = home / ".forward"
    file.write_bytes(b"bob\n")
    file.chmod(0o644)
    return file


def test_a_file_is_read(file: File) -> None:
    found = read(str(file), UID, 1000)
    assert found is not None
    assert (found.octets, found.uid, found.doubt) == (b"bob\n", UID, "")
    again = read(str(file), UID, 1000, known=found.stamp)
    assert again is not None
    assert (again.octets, again.stamp) == (b"", found.stamp)


@pytest.mark.parametrize("path", ["missing", ".forward/below", "a/b/c"])
def test_a_missing_file_is_no_trouble(file: File, path: str) -> None:
    assert doubt(file.parent / path) is None


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o1646])
def test_a_file_that_others_may_write(file: File, mode: int) -> None:
    file.chmod(mode)
    assert doubt(file) == f"it can be written by others (mode {mode:o})"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_directory_that_others_may_write(file: File, mode: int) -> None:
    """They could put another file in its place."""
    file.parent.chmod(mode)
    assert str(doubt(file)).startswith("the directory ./ can be written")
    file.parent.chmod(0o755)
    file.parent.parent.chmod(mode)
    assert str(doubt(file)).startswith("the directory ../ can be written")
    file.parent.parent.chmod(0o700)


def test_the_group_may_if_one_says_so(file: File) -> None:
    file.chmod(0o664)
    file.parent.chmod(0o775)
    assert doubt(file, group=True) == ""
    file.chmod(0o666)
    assert doubt(file, group=True) != ""


def test_in_a_sticky_directory_others_cannot_touch_it(file: File) -> None:
    file.parent.chmod(0o1777)
    assert doubt(file) == ""


def test_a_file_of_somebody_else(file: File) -> None:
    expected = "" if UID == 0 else f"it belongs to uid {UID}"
    assert doubt(file, 12345) == expected
    assert doubt(file, None) == ""


def test_a_symbolic_link_is_not_followed(file: File) -> None:
    link = file.parent / "link"
    link.symlink_to(file)
    assert doubt(link) == "it is a symbolic link"
    dangling = file.parent / "dangling"
    dangling.symlink_to("nowhere")
    assert doubt(dangling) == "it is a symbolic link"


def test_a_pipe_or_a_directory_is_not_waited_for(file: File) -> None:
    os.mkfifo(file.parent / "pipe")
    assert doubt(file.parent / "pipe") == "it is no regular file"
    assert doubt(file.parent) == "it is no regular file"


def test_a_link_put_there_after_the_look_changes_nothing(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked about is what is open, whatever has the name now."""
    secret = file.parent / "secret"
    secret.write_bytes(b"|/bin/evil\n")
    real = os.fstat

    def swapped(fd: int) -> os.stat_result:
        facts = real(fd)
        if not file.is_symlink():
            file.unlink()
            file.symlink_to(secret)
        return facts

    monkeypatch.setattr(os, "fstat", swapped)
    found = read(str(file), UID, 1000)
    assert found is not None
    assert found.octets == b"bob\n"
    assert doubt(file) == "it is a symbolic link"


def test_a_directory_put_there_after_the_look_changes_nothing(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = file.parent.parent / "evil"
    evil.mkdir()
    (evil / ".forward").write_bytes(b"|/bin/evil\n")
    real = os.open
    opened: list[str] = []

    def swapped(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        fd = real(path, flags, dir_fd=dir_fd)
        if not opened:
            opened.append(path)
            file.parent.rename(file.parent.parent / "away")
            evil.rename(file.parent)
        return fd

    monkeypatch.setattr(os, "open", swapped)
    found = read(str(file), UID, 1000)
    assert found is not None
    assert found.octets == b"bob\n"


def test_a_file_that_is_too_large_is_a_temporary_error(file: File) -> None:
    with pytest.raises(StorageFailure, match="over 3 octets"):
        read(str(file), UID, 3)


def test_a_failing_disk_is_a_temporary_error(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fails)
    with pytest.raises(StorageFailure):
        read(str(file), UID, 1000)


def test_what_may_not_be_read_is_not_trusted(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert doubt(file) == "it may not be read"

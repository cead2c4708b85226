"""The disk layer: what an arriving message leaves behind, and how errors are named."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.durable import (
    Content,
    Disk,
    is_there,
    open_to_read,
    translate,
    translated,
)
from maildrop.errors import AccessDenied, NoSpace, StorageFailure


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.EIO, StorageFailure),
    ],
)
def test_an_os_error_is_named_by_what_the_caller_can_do(
    number: int, expected: type[Exception]
) -> None:
    error = translate(OSError(number, "text"), "write /var/mail/u")
    assert type(error) is expected
    assert "write /var/mail/u" in str(error)


def test_a_disk_that_cannot_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert is_there(str(tmp_path / "link"))
    assert not is_there(str(tmp_path / "other"))
    assert not is_there(str(tmp_path / "link" / "below"))

    def unreadable(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", unreadable)
        with pytest.raises(StorageFailure):
            is_there(str(tmp_path / "link"))


def test_a_missing_file_is_an_answer_and_passes_through() -> None:
    with pytest.raises(FileNotFoundError), translated("open x"):
        raise FileNotFoundError


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(0, 200))
def test_content_gives_back_what_was_written_in_memory_or_file(
    chunks: list[bytes], memory: int
) -> None:
    content = Content("/tmp", memory)  # noqa: S108 - a nameless file leaves no trace
    for chunk in chunks:
        content.write(chunk)
    whole = b"".join(chunks)
    assert content.size == len(whole)
    assert bytes(content.octets()) == whole
    content.close()


def test_large_content_leaves_no_name_in_its_directory(tmp_path: Path) -> None:
    content = Content(str(tmp_path), memory=10)
    content.write(b"x" * 100)
    assert list(tmp_path.iterdir()) == []
    content.close()


def test_a_directory_that_is_not_there_is_a_storage_failure(tmp_path: Path) -> None:
    content = Content(str(tmp_path), memory=10)
    tmp_path.rmdir()
    with pytest.raises(StorageFailure):
        content.write(b"x" * 100)
    content.close()


def test_a_replaced_file_is_whole_and_leaves_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "file"
    disk = Disk()
    disk.replace_file(str(target), b"old")
    disk.replace_file(str(target), b"new", mode=0o640)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_replacement_keeps_the_old_file_and_no_temporary(
    tmp_path: Path,
) -> None:
    class FullDisk(Disk):
        def synchronize(self, fd: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        FullDisk().replace_file(str(target), b"new")
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_creating_what_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        Disk().create(str(tmp_path / "file"))


def test_a_symlink_is_not_followed_when_appending(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Disk().append_to(str(tmp_path / "link"))
    assert not (tmp_path / "elsewhere").exists()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("plant", [_pipe, _link, Path.mkdir])
@pytest.mark.parametrize("opening", [open_to_read, Disk().append_to, Disk().update])
def test_what_is_no_regular_file_is_not_opened_and_not_waited_for(
    tmp_path: Path, plant: Callable[[Path], None], opening: Callable[[str], int]
) -> None:
    plant(tmp_path / "planted")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"regular|symbolic|directory"):
        opening(str(tmp_path / "planted"))
    assert len(os.listdir("/proc/self/fd")) == before

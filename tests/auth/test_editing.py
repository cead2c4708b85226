"""Changes to a passwd-style file: one line, and nothing else."""

import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from maildrop.auth.editing import Editor, UserExists, UserNotFound
from maildrop.auth.entry import BadLine, Entry
from maildrop.durable import Disk
from maildrop.errors import NoSpace

TEXT = b"# people\r\nbob:x:1:2\r\n\nwhat is this\n\xff\xfe\nal:{PLAIN}a"


@pytest.fixture
def editor(passwd: Path) -> Editor:
    passwd.write_bytes(TEXT)
    return Editor(str(passwd), Disk())


def test_a_user_is_added_at_the_end(editor: Editor, passwd: Path) -> None:
    editor.add(Entry("cy", "{PLAIN}c", uid="5"))
    assert passwd.read_bytes() == TEXT + b"\ncy:{PLAIN}c:5\n"


def test_the_first_user_makes_the_file(passwd: Path) -> None:
    editor = Editor(str(passwd), Disk())
    assert editor.entries() == []
    editor.add(Entry("cy", "x"))
    assert passwd.read_bytes() == b"cy:x\n"
    assert passwd.stat().st_mode & 0o777 == 0o600


def test_a_taken_name_is_refused_whatever_its_case(
    editor: Editor, passwd: Path
) -> None:
    with pytest.raises(UserExists):
        editor.add(Entry("BOB", "x"))
    with pytest.raises(UserExists):
        editor.change("al", lambda entry: replace(entry, name="bob"))
    assert passwd.read_bytes() == TEXT


def test_a_password_is_changed_in_its_place(editor: Editor, passwd: Path) -> None:
    editor.set_password("bob", "{SSHA}y")
    assert passwd.read_bytes() == TEXT.replace(b"bob:x:", b"bob:{SSHA}y:")
    assert editor.entry("Bob").password == "{SSHA}y"


def test_the_last_line_needs_no_end(editor: Editor, passwd: Path) -> None:
    editor.set_password("al", "b")
    assert passwd.read_bytes().endswith(b"\nal:b")


def test_disabling_and_enabling_gives_the_line_back(
    editor: Editor, passwd: Path
) -> None:
    editor.disable("bob")
    editor.disable("bob")
    assert b"bob:x:1:2::::disabled=yes\r\n" in passwd.read_bytes()
    editor.enable("bob")
    assert passwd.read_bytes() == TEXT


def test_enabling_keeps_the_other_words(editor: Editor) -> None:
    editor.add(Entry("cy", "x", extra="quota=1G nologin allow=imap"))
    editor.enable("cy")
    assert editor.entry("cy").extra == "quota=1G allow=imap"


def test_a_removed_user_takes_one_line_along(editor: Editor, passwd: Path) -> None:
    editor.remove("bob")
    assert passwd.read_bytes() == TEXT.replace(b"bob:x:1:2\r\n", b"")
    assert [entry.name for entry in editor.entries()] == ["al"]


def test_who_is_not_there_cannot_be_changed(editor: Editor, passwd: Path) -> None:
    for change in (editor.remove, editor.disable, editor.enable, editor.entry):
        with pytest.raises(UserNotFound):
            change("nobody")
    with pytest.raises(UserNotFound):
        editor.set_password("nobody", "x")
    assert passwd.read_bytes() == TEXT


@pytest.mark.parametrize(
    "entry",
    [
        Entry("../x", "y"),
        Entry("a b", "y"),
        Entry("cy", "a:b"),
        Entry("cy", "a\nroot:x:0:0"),
        Entry("cy", "x", gecos="a\rb"),
        Entry("cy", "x", extra="quota=lots"),
        Entry("cy", "x", extra="a\nb"),
        Entry("cy", "x", home="/a:b"),
        Entry("cy", "\udcff"),
    ],
)
def test_what_would_break_the_file_is_refused(
    editor: Editor, passwd: Path, entry: Entry
) -> None:
    with pytest.raises(BadLine):
        editor.add(entry)
    assert passwd.read_bytes() == TEXT


def test_mode_and_symbolic_link_stay(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(TEXT)
    real.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(real)
    before = os.umask(0o077)
    try:
        Editor(str(link), Disk()).remove("bob")
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert b"bob" not in real.read_bytes()


def test_a_full_disk_leaves_the_old_file(passwd: Path) -> None:
    class Full(Disk):
        def write(self, fd: int, octets: object) -> None:
            raise OSError(28, "No space left on device")

    passwd.write_bytes(TEXT)
    with pytest.raises(NoSpace):
        Editor(str(passwd), Full()).remove("bob")
    assert passwd.read_bytes() == TEXT
    assert sorted(path.name for path in passwd.parent.iterdir()) == [
        "passwd",
        "passwd.lock",
    ]


class Stopped(BaseException):
    """The machine stops here."""


class Stopping(Disk):
    """Stops before its n-th call; the calls before it are done."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def _count(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise Stopped

    def create(
        self, path: str | bytes, mode: int = 0o600, dir_fd: int | None = None
    ) -> int:
        self._count()
        return super().create(path, mode, dir_fd)

    def write(self, fd: int, octets: bytes | memoryview | mmap.mmap) -> None:
        self._count()
        super().write(fd, octets)

    def synchronize(self, fd: int) -> None:
        self._count()
        super().synchronize(fd)

    def rename(
        self,
        source: str | bytes,
        target: str | bytes,
        source_fd: int | None = None,
        target_fd: int | None = None,
    ) -> None:
        self._count()
        super().rename(source, target, source_fd, target_fd)

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self._count()
        super().synchronize_directory(path)


@pytest.mark.parametrize("calls", range(6))
def test_stopped_anywhere_the_file_is_the_old_or_the_new(
    passwd: Path, calls: int
) -> None:
    passwd.write_bytes(TEXT)
    new = TEXT.replace(b"bob:x:1:2\r\n", b"")
    try:
        Editor(str(passwd), Stopping(calls)).remove("bob")
    except Stopped:
        assert passwd.read_bytes() == (TEXT if calls < 4 else new)
    else:
        assert calls == 5
    Editor(str(passwd), Disk()).remove("al")
    assert b"bob:" in passwd.read_bytes() or calls >= 4


def test_changes_at_the_same_time_are_all_kept(passwd: Path) -> None:
    def add(number: int) -> None:
        Editor(str(passwd), Disk()).add(Entry(f"user{number}", "x"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(12)))
    names = [entry.name for entry in Editor(str(passwd), Disk()).entries()]
    assert sorted(names) == sorted(f"user{number}" for number in range(12))


def test_names_that_differ_in_case_may_be_two_users(passwd: Path) -> None:
    passwd.write_bytes(b"bob:1\n")
    editor = Editor(str(passwd), Disk(), case_sensitive=True)
    editor.add(Entry("Bob", "2"))
    editor.remove("bob")
    assert passwd.read_bytes() == b"Bob:2\n"

"""The drop directory, as programs of users see it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.durable import Disk
from maildrop.errors import LimitExceeded, MaildropError, StorageFailure
from maildrop.queue.drop import (
    HEAD_MAX,
    LINE_MAX,
    MODE,
    RECIPIENTS_MAX,
    Dropped,
    Unfit,
    parse,
    prepare,
    put,
    read,
)

MESSAGE = b"Subject: hello\r\n\r\n\xff\x00 body\r\n"

addresses = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    directory = tmp_path / "drop"
    prepare(str(directory), Disk())
    return directory


def hand_in(directory: Path, dropped: Dropped, message: bytes = MESSAGE) -> Path:
    waits = put(str(directory), dropped, message, Disk(), os.urandom)
    return directory / waits.name


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_everybody_may_add_to_it_and_nobody_list_it(drop: Path) -> None:
    assert stat.S_IMODE(drop.stat().st_mode) == MODE == 0o3733


def test_its_mode_is_put_right(drop: Path) -> None:
    drop.chmod(0o777)
    prepare(str(drop), Disk())
    assert stat.S_IMODE(drop.stat().st_mode) == MODE


@pytest.mark.usefixtures("umask")
def test_everybody_may_pass_to_it_whatever_the_umask(tmp_path: Path) -> None:
    prepare(str(tmp_path / "state" / "queue" / "drop"), Disk())
    for above in (tmp_path / "state", tmp_path / "state" / "queue"):
        assert above.stat().st_mode & 0o111 == 0o111
        assert not above.stat().st_mode & 0o022


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir(mode=0o700)
    (tmp_path / "drop").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageFailure):
        prepare(str(tmp_path / "drop"), Disk())
    assert stat.S_IMODE((tmp_path / "victim").stat().st_mode) == 0o700


@pytest.mark.usefixtures("umask")
def test_owner_and_group_may_read_a_file_whatever_the_umask(drop: Path) -> None:
    file = hand_in(drop, Dropped(("bob",)))
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(drop) == [file.name]


def test_what_is_handed_in_reads_back(drop: Path) -> None:
    dropped = Dropped(
        ("bob", "grüße@example.org"), "", ("SUCCESS", "DELAY"), "HDRS", "id", "ESMTP"
    )
    octets = hand_in(drop, dropped).read_bytes()
    found, start = parse(octets)
    assert found == dropped
    assert octets[start:] == MESSAGE


@settings(max_examples=30)
@given(
    st.lists(addresses, min_size=1, max_size=5),
    st.none() | addresses,
    st.binary(max_size=200),
    st.data(),
)
def test_half_a_file_and_a_damaged_one_are_none(
    tmp_path_factory: pytest.TempPathFactory,
    recipients: list[str],
    sender: str | None,
    message: bytes,
    data: st.DataObject,
) -> None:
    dropped = Dropped(tuple(recipients), sender)
    octets = hand_in(tmp_path_factory.mktemp("drop"), dropped, message).read_bytes()
    found, start = parse(octets)
    assert (found, octets[start:]) == (dropped, message)
    at = data.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(Unfit):
        parse(octets[:at])
    other = bytes([octets[at] ^ data.draw(st.integers(1, 255))])
    with pytest.raises(Unfit):
        parse(octets[:at] + other + octets[at + 1 :])


@given(st.binary(max_size=100))
def test_any_octets_are_refused_in_order(octets: bytes) -> None:
    for start in (b"", b"maildrop-drop 1 ", b"maildrop-drop 1 00000000 1 0\n"):
        with pytest.raises(Unfit):
            parse(start + octets)


@pytest.mark.parametrize(
    "dropped",
    [
        Dropped(()),
        Dropped(("bob",), notify=("SOMETIMES",)),
        Dropped(("bob",), ret="ALL"),
        Dropped(("bob",), envelope_id="x" * 101),
        Dropped(("bob",), protocol="HTTP\r\nX: y"),
        Dropped(("bob\nX-Evil: yes",)),
        Dropped(("bob",), "eve\r\nX-Evil: yes"),
        Dropped((1,)),  # type: ignore[arg-type]
        Dropped(("bob",), 1),  # type: ignore[arg-type]
        Dropped(("bob",), notify=([],)),  # type: ignore[arg-type]
    ],
)
def test_an_envelope_that_cannot_be_is_refused(drop: Path, dropped: Dropped) -> None:
    with pytest.raises(Unfit, match="envelope"):
        parse(hand_in(drop, dropped).read_bytes())


@pytest.mark.parametrize(
    "recipients", [("bob",) * (RECIPIENTS_MAX + 1), ("x" * 100,) * (HEAD_MAX // 100)]
)
def test_too_large_an_envelope_is_not_handed_in(
    drop: Path, recipients: tuple[str, ...]
) -> None:
    with pytest.raises(LimitExceeded):
        hand_in(drop, Dropped(recipients))
    assert os.listdir(drop) == []


def test_10000_recipients_are_handed_in(drop: Path) -> None:
    dropped = Dropped(tuple(f"member-{n}@lists.example.org" for n in range(10_000)))
    assert parse(hand_in(drop, dropped).read_bytes())[0] == dropped


def test_without_the_directory_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match="maildrop was never started"):
        hand_in(tmp_path / "none", Dropped(("bob",)))


class FailingDisk(Disk):
    """Fails at one of its calls."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at
        self._left = 1

    def _fail(self, name: str) -> None:
        if name == self._at:
            raise OSError(28, "No space left on device")

    def write(self, fd: int, octets: bytes | memoryview) -> None:  # type: ignore[override]
        self._fail("write")
        super().write(fd, octets)

    def synchronize(self, fd: int) -> None:
        self._fail("synchronize")
        super().synchronize(fd)

    def synchronize_directory(self, path: bytes | str | int) -> None:
        self._fail("synchronize_directory")
        super().synchronize_directory(path)


@pytest.mark.parametrize("call", ["write", "synchronize", "synchronize_directory"])
def test_what_failed_is_not_there(drop: Path, call: str) -> None:
    with pytest.raises(MaildropError):
        put(str(drop), Dropped(("bob",)), MESSAGE, FailingDisk(call), os.urandom)
    assert os.listdir(drop) == []


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_file_is_read_with_what_the_kernel_knows_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(MESSAGE)
    octets, status = read(opened(tmp_path / "file"), 100)
    assert (octets, status.st_uid) == (MESSAGE, os.getuid())


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o4600, 0o2640, 0o1600])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").write_bytes(MESSAGE)
    (tmp_path / "file").chmod(mode)
    with pytest.raises(Unfit, match="mode"):
        read(opened(tmp_path / "file"), 100)


def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(MESSAGE)
    os.link(tmp_path / "file", tmp_path / "other")
    with pytest.raises(Unfit, match="2 names"):
        read(opened(tmp_path / "file"), 100)


def test_a_pipe_and_a_directory_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(Unfit, match="no regular file"):
            read(opened(path), 100)


def test_a_file_full_of_holes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(100 + HEAD_MAX + LINE_MAX + 1)
    with pytest.raises(Unfit, match="octets"):
        read(opened(tmp_path / "file"), 100)

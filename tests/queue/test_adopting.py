"""Taking over what local programs left."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.durable import Disk
from maildrop.errors import StorageFailure
from maildrop.queue.adopting import Adopter, Found, Limits, Made, fairly
from maildrop.queue.drop import Dropped, Unfit, put
from maildrop.queue.entry import Entry, Waiting
from maildrop.queue.naming import entry_id
from maildrop.queue.spool import Spool, Taken

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"
NAME = "0123456789abcdef0123456789abcdef"


class Submitted:
    """Makes the entries of these tests."""

    def entry(self, entry_id: str, dropped: Dropped, uid: int, message: bytes) -> Made:
        if "nobody" in dropped.recipients:
            raise Unfit("an address is none")
        waiting = [
            Waiting(number, address, "local", "")
            for number, address in enumerate(dropped.recipients)
        ]
        sender = f"uid{uid}@example.org"
        entry = Entry(entry_id, sender, 1000.0, len(message), waiting)
        return Made(entry, b"Received: here\r\n", {"uid": uid})


class Place:
    """A queue and its drop directory."""

    def __init__(self, directory: Path, spool: Spool, clock: Clock) -> None:
        self.directory = directory
        self.drop = directory / "drop"
        self.corrupt = directory / "corrupt"
        self.spool = spool
        self.clock = clock
        clock.advance(os.stat(directory).st_ctime + 10 - clock.seconds())
        self.adopter().prepare()

    def adopter(self, disk: Disk | None = None, **limits: int) -> Adopter:
        return Adopter(
            str(self.directory),
            self.spool,
            Submitted(),
            disk or Disk(),
            self.clock.seconds,
            Limits(**limits),
        )

    def put(self, *recipients: str, message: bytes = MESSAGE) -> Path:
        dropped = Dropped(recipients or ("bob",))
        self.waits = put(str(self.drop), dropped, message, Disk(), os.urandom)
        return self.drop / self.waits.name

    def ids(self) -> list[str]:
        return sorted(each.id for each in self.spool.list())


@pytest.fixture
def place(tmp_path: Path, spool: Spool, clock: Clock) -> Place:
    return Place(tmp_path / "queue", spool, clock)


def test_a_message_goes_into_the_queue(place: Place) -> None:
    place.put("bob", "eve")
    adopted = place.adopter().adopt()
    assert place.ids() == adopted.ids
    assert adopted.facts == {adopted.ids[0]: {"uid": os.getuid()}}
    assert os.listdir(place.drop) == []
    taken = place.spool.take(adopted.ids[0])
    assert taken is not None
    assert taken.content().octets() == b"Received: here\r\n" + MESSAGE
    assert [each.address for each in taken.entry.recipients] == ["bob", "eve"]
    assert taken.entry.sender == f"uid{os.getuid()}@example.org"


def test_its_id_is_known_to_who_handed_it_in(place: Place) -> None:
    """It stands in the reply of ``sendmail -bs``, and in what ``-v`` says."""
    place.put()
    waits = place.waits
    told = entry_id(waits.name, [waits.first, MESSAGE], waits.status)
    assert place.adopter().adopt().ids == [told]


def test_nothing_there_is_nothing_to_do(place: Place) -> None:
    adopted = place.adopter().adopt()
    assert (adopted.ids, adopted.more) == ([], False)


class Failing(Disk):
    """Fails at the n-th call that the adopter makes."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
        self._count()
        super().unlink(path, dir_fd)

    def synchronize_directory(self, path: str | bytes | int) -> None:
        self._count()
        super().synchronize_directory(path)


@pytest.mark.parametrize("at", range(4))
def test_after_an_error_each_message_is_in_one_place(place: Place, at: int) -> None:
    """What is in both might be over in one before it is gone from the other."""
    for number in range(3):
        place.put(f"user{number}")
    with pytest.raises(StorageFailure):
        place.adopter(Failing(at)).adopt()
    assert (len(place.ids()), len(os.listdir(place.drop))) == (at, 3 - at)
    adopted = place.adopter().adopt()
    assert set(adopted.ids) <= set(place.ids())
    assert len(place.ids()) == 3
    assert os.listdir(place.drop) == []


def test_nobody_tries_what_is_not_gone_from_the_directory(place: Place) -> None:
    place.put()
    tried: list[Taken | None] = []

    class Curious(Disk):
        def synchronize_directory(self, path: str | bytes | int) -> None:
            tried.extend(place.spool.take(each) for each in place.ids())
            super().synchronize_directory(path)

    [adopted] = place.adopter(Curious()).adopt().ids
    assert tried == [None]
    taken = place.spool.take(adopted)
    assert taken is not None
    taken.let_go()


def test_the_same_message_sent_twice_is_there_twice(place: Place) -> None:
    place.put()
    place.put()
    assert len(place.adopter().adopt().ids) == 2
    assert len(place.ids()) == 2


def test_only_one_process_takes_over(place: Place) -> None:
    place.put()
    inner = []

    class Curious(Disk):
        def unlink(self, path: str | bytes, dir_fd: int | None = None) -> None:
            inner.append(place.adopter().adopt())
            super().unlink(path, dir_fd)

    assert len(place.adopter(Curious()).adopt().ids) == 1
    assert [each.ids for each in inner] == [[]]


def test_what_is_still_written_is_left_alone_until_it_is_old(place: Place) -> None:
    (place.drop / f"{NAME}.new").write_bytes(b"maildrop-drop 1 ")
    place.adopter().adopt()
    assert os.listdir(place.drop) == [f"{NAME}.new"]
    place.clock.advance(4000)
    place.adopter().adopt()
    assert os.listdir(place.drop) == []


def hard_link(place: Place) -> None:
    os.link(place.put(), place.directory / "elsewhere")


def linked(place: Place) -> None:
    place.put().rename(place.directory / "elsewhere")
    (place.drop / f"{NAME}.mail").symlink_to(place.directory / "elsewhere")


def pipe(place: Place) -> None:
    os.mkfifo(place.drop / f"{NAME}.mail")


def directory(place: Place) -> None:
    (place.drop / f"{NAME}.mail").mkdir()


def line_break(place: Place) -> None:
    place.put().rename(place.drop / "a\nerror: forged.mail")


def other_name(place: Place) -> None:
    place.put().rename(place.drop / f"{NAME}0.mail")


def dots(place: Place) -> None:
    place.put().rename(place.drop / "...mail")


@pytest.mark.parametrize(
    "made", [hard_link, linked, pipe, directory, line_break, other_name, dots]
)
def test_what_hostile_users_leave_is_removed(
    place: Place, made: Callable[[Place], None]
) -> None:
    made(place)
    place.put()
    assert len(place.adopter().adopt().ids) == 1
    assert len(place.ids()) == 1
    assert os.listdir(place.drop) == []
    assert os.listdir(place.corrupt) == []


def test_a_directory_that_holds_something_harms_nobody(place: Place) -> None:
    (place.drop / "full").mkdir()
    (place.drop / "full" / "file").touch()
    place.put()
    adopter = place.adopter()
    assert len(adopter.adopt().ids) == 1
    assert adopter.adopt().ids == []
    assert os.listdir(place.drop) == ["full"]


def half(path: Path) -> None:
    os.truncate(path, 100)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"body", b"bodY"))


def writable(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("harm", [half, empty, changed, writable])
def test_what_cannot_be_believed_is_kept_aside(
    place: Place, harm: Callable[[Path], None]
) -> None:
    path = place.put()
    harm(path)
    place.put()
    assert len(place.adopter().adopt().ids) == 1
    assert os.listdir(place.drop) == []
    assert os.listdir(place.corrupt) == [f"drop-{os.getuid()}-{path.name}"]


def test_an_address_that_is_none_is_kept_aside(place: Place) -> None:
    place.put("nobody")
    assert place.adopter().adopt().ids == []
    assert len(os.listdir(place.corrupt)) == 1


def test_a_message_over_the_limit_is_kept_aside(place: Place) -> None:
    place.put(message=MESSAGE)
    place.put(message=MESSAGE + b"x")
    assert len(place.adopter(message=len(MESSAGE)).adopt().ids) == 1
    assert len(os.listdir(place.corrupt)) == 1


def test_only_so_much_is_kept_aside(place: Place) -> None:
    for _ in range(5):
        empty(place.put())
    place.adopter(kept=3).adopt()
    assert len(os.listdir(place.corrupt)) == 3
    assert os.listdir(place.drop) == []


def test_a_turn_takes_so_many_and_says_that_there_are_more(place: Place) -> None:
    for _ in range(5):
        place.put()
    adopter = place.adopter(turn=2)
    turns = [adopter.adopt() for _ in range(3)]
    assert [(len(each.ids), each.more) for each in turns] == [
        (2, True),
        (2, True),
        (1, False),
    ]


def test_a_flood_of_junk_ends(place: Place) -> None:
    """What is no message counts for nothing, and does not come back."""
    for number in range(50):
        (place.drop / f"junk{number}").touch()
    place.put()
    adopted = place.adopter(turn=2).adopt()
    assert (len(adopted.ids), adopted.more) == (1, False)
    assert os.listdir(place.drop) == []


def test_a_flood_keeps_nobody_else_waiting() -> None:
    flood = [Found(f"f{number}", 1, number) for number in range(5)]
    late = [Found("late", 2, 10), Found("later", 2, 11)]
    names = [each.name for each in fairly([*flood, *late])]
    assert names == ["f0", "late", "f1", "later", "f2", "f3", "f4"]


def test_what_comes_during_a_flood_is_seen_after_some_seconds(place: Place) -> None:
    """The directory is not listed for every turn."""
    for _ in range(6):
        place.put()
    adopter = place.adopter(turn=2)
    adopter.adopt()
    place.put()
    (place.drop / "junk").touch()
    adopter.adopt()
    assert (place.drop / "junk").exists()
    place.clock.advance(10)
    adopter.adopt()
    assert not (place.drop / "junk").exists()
    assert len(os.listdir(place.drop)) == 1
    assert adopter.adopt().more is False
    assert len(place.ids()) == 7

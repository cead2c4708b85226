"""``maildrop demo``: what it makes."""

from pathlib import Path

import pytest

from maildrop.admin.demo import USER, prepare
from maildrop.admin.demo_mail import messages
from maildrop.admin.outcome import Failed
from maildrop.app.config import load
from maildrop.app.endpoints import parse
from maildrop.app.surroundings import look
from maildrop.auth.editing import Editor
from maildrop.auth.passwords import verify
from maildrop.durable import Disk
from maildrop.message.fragments import fragment


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo") / "new"
    prepare(directory)
    return directory


def test_the_configuration_is_good(made: Path) -> None:
    reading = load(str(made / "maildrop.toml"))
    look(reading, 0)
    assert reading.problems == []


def test_every_port_is_on_loopback_and_only_once(made: Path) -> None:
    listens = load(str(made / "maildrop.toml")).configuration.listen
    places = [parse(each.endpoint) for each in listens]
    assert all(place.local for place in places)
    assert len({place.port for place in places}) == len(places) == 7


def test_the_password_told_is_the_users(made: Path) -> None:
    entry = Editor(str(made / "passwd"), Disk()).entry(USER)
    assert verify(entry.password, (made / "password").read_text().strip())


def test_the_directory_is_private(made: Path) -> None:
    assert made.stat().st_mode & 0o777 == 0o700


def test_there_is_mail(made: Path) -> None:
    new = made / "home" / USER / "Maildir/new"
    assert len(list(new.iterdir())) == 3


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(Failed, match="not empty"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_messages_are_whole() -> None:
    structures = [fragment(octets, b"BODYSTRUCTURE") for octets in messages(USER)]
    assert b'"PLAIN"' in structures[0].upper()
    assert b'"ALTERNATIVE"' in structures[1].upper()
    assert b'"DOT.PNG"' in structures[2].upper()
    for octets in messages(USER):
        assert b"\n" not in octets.replace(b"\r\n", b"")

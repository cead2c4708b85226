"""``maildrop queue``."""

import os
import time
from pathlib import Path

import pytest

from maildrop.app.config import load
from maildrop.app.privileges import rights
from maildrop.app.queueing import open_spool
from maildrop.durable import Content
from maildrop.queue.entry import Entry, Kind, Options, Result, Status, Waiting
from maildrop.queue.spool import Spool
from tests.admin.conftest import Command

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"


@pytest.fixture
def spool(maildrop: Command) -> Spool:
    """Three messages: two of ann's, one report."""
    user = f'user = "{os.getuid()}"\n'
    maildrop.config.write_text(user + maildrop.config.read_text())
    configuration = load(str(maildrop.config)).configuration
    spool = open_spool(
        configuration, rights(configuration.user, os.geteuid()), time.time
    )
    for name, sender, addresses in (
        ("ID1", "ann@example.org", ["b@far.example", "c@near.example"]),
        ("ID2", "ann@example.org", [f"{n}@far.example" for n in range(5)]),
        ("ID3", "", ["ann@example.org"]),
    ):
        waiting = [
            Waiting(number, address, "smtp", address.rpartition("@")[2])
            for number, address in enumerate(addresses)
        ]
        options = Options(envelope_id="QQ" if name == "ID1" else "")
        entry = Entry(name, sender, 1e9, 0, waiting, options, next=2e9)
        spool.add(entry, Content.of(MESSAGE))
    busy = Status("4.4.1", "connection\n refused", "mx.far.example")
    for name in ("ID1", "ID2", "ID3"):
        taken = spool.take(name)
        assert taken is not None
        taken.note(results=[Result(0, Kind.WAITING, busy)], next_try=2e9)
        taken.let_go()
    return spool


def ids(maildrop: Command, *arguments: str) -> list[str]:
    outcome = maildrop("queue", "list", "--json", *arguments)
    assert outcome.status == 0
    return [row["id"] for row in outcome.json]


def test_what_waits_is_listed(maildrop: Command, spool: Spool) -> None:
    del spool
    outcome = maildrop("queue", "list", "--json")
    assert outcome.status == 0
    first, second, third = outcome.json
    assert (first["id"], first["state"], first["size"]) == ("ID1", "waits", 24)
    assert first["sender"] == "<ann@example.org>"
    assert first["recipients"] == "b@far.example, c@near.example"
    assert first["why"] == "connection refused"
    assert second["recipients"].endswith("2@far.example and 2 more")
    assert third["sender"] == "<>"


def test_what_the_server_has_still_to_take_is_told_of(
    maildrop: Command, spool: Spool
) -> None:
    """Mail that was sent while it is down."""
    del spool
    drop = maildrop.directory / "state" / "queue" / "drop"
    drop.mkdir()
    assert maildrop("queue", "list").err == ""
    for name in ("a.mail", "b.mail", "c.new"):
        (drop / name).write_text("")
    outcome = maildrop("queue", "list", "--json")
    assert len(outcome.json) == 3
    assert outcome.err.startswith("maildrop: 2 more from local programs")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--sender", "ANN@"], ["ID1", "ID2"]),
        (["--recipient", "far.example"], ["ID1", "ID2"]),
        (["--recipient", "near.example"], ["ID1"]),
        (["--recipient", "@far.example", "ID2"], ["ID2"]),
        (["ID3"], ["ID3"]),
    ],
)
def test_some_of_it_can_be_asked_for(
    maildrop: Command, spool: Spool, arguments: list[str], found: list[str]
) -> None:
    del spool
    assert ids(maildrop, *arguments) == found


def test_an_entry_is_shown(maildrop: Command, spool: Spool) -> None:
    del spool
    outcome = maildrop("queue", "show", "ID1")
    assert outcome.status == 0
    assert "envelope id: QQ" in outcome.out
    shown = maildrop("queue", "show", "ID1", "--json").json
    assert (shown["id"], shown["envelope_id"]) == ("ID1", "QQ")
    assert shown["sender"] == "<ann@example.org>"
    recipients = shown["recipients"]
    assert [each["address"] for each in recipients] == [
        "b@far.example",
        "c@near.example",
    ]
    assert recipients[0]["code"] == "4.4.1"


def test_its_message_is_shown(maildrop: Command, spool: Spool) -> None:
    del spool
    assert "Subject: hello" in maildrop("queue", "show", "ID1", "--message").out


def test_entries_are_held_and_released(maildrop: Command, spool: Spool) -> None:
    assert maildrop("queue", "hold", "--sender", "ann").status == 0
    held = [entry.held for name in ("ID1", "ID2", "ID3") if (entry := spool.look(name))]
    assert held == [True, True, False]
    assert maildrop("queue", "release", "--all").status == 0
    entry = spool.look("ID1")
    assert entry is not None
    assert not entry.held
    assert entry.next <= time.time()


def test_entries_are_deleted(maildrop: Command, spool: Spool) -> None:
    del spool
    outcome = maildrop("queue", "delete", "ID1", "ID9")
    assert outcome.status == 65
    assert "ID1 deleted" in outcome.out
    assert ids(maildrop) == ["ID2", "ID3"]


def test_entries_are_given_back(maildrop: Command, spool: Spool) -> None:
    assert maildrop("queue", "bounce", "ID2").status == 0
    entry = spool.look("ID2")
    assert entry is not None
    assert entry.waiting() == []


def test_an_entry_that_is_being_tried_is_left_alone(
    maildrop: Command, spool: Spool
) -> None:
    taken = spool.take("ID1")
    assert taken is not None
    assert maildrop("queue", "delete", "ID1").status == 75
    taken.let_go()
    assert spool.holds("ID1")


def test_nothing_is_done_to_all_unless_that_is_said(
    maildrop: Command, spool: Spool
) -> None:
    assert maildrop("queue", "delete").status == 64
    assert len(list(spool.list())) == 3


def test_without_a_server_entries_are_made_due_on_disk(
    maildrop: Command, spool: Spool
) -> None:
    outcome = maildrop("queue", "flush", "--recipient", "near.example")
    assert outcome.status == 0
    assert "1 entries are due" in outcome.out
    assert (spool.due("ID1") or 0) <= time.time()
    assert spool.due("ID2") == 2e9


def test_a_damaged_entry_is_told_of(
    maildrop: Command, spool: Spool, tmp_path: Path
) -> None:
    del tmp_path
    Path(spool.entries, "ID0").write_bytes(b"junk\n")
    assert ids(maildrop) == ["ID1", "ID2", "ID3"]
    assert maildrop("queue", "show", "ID0").status == 65


def test_where_there_is_no_queue_that_is_said(maildrop: Command) -> None:
    assert maildrop("queue", "list").status == 69

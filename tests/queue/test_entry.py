"""The lines of an entry's file."""

import copy
import json
import zlib

import pytest
from hypothesis import given, strategies as st

from maildrop.queue.entry import (
    MEMBERS,
    Damaged,
    Entry,
    FromLater,
    Kind,
    Options,
    Result,
    Status,
    Torn,
    Waiting,
    ends,
    follow,
    head,
    line,
    lines,
    read_head,
)

STATUS = Status("4.4.1", "connection refused", "mx.example.net")


def entry(*addresses: str) -> Entry:
    waiting = [
        Waiting(number, address, "smtp", "example.net", "rfc822;x@y", ("FAILURE",))
        for number, address in enumerate(addresses)
    ]
    options = Options(True, True, "HDRS", "env=1", "")
    return Entry("ID1", "s@example.org", 1000.5, 77, waiting, options, next=1000.5)


def summed(text: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(text), text)


def test_a_head_says_all_that_is_given() -> None:
    assert read_head(head(entry("a@b", "c@d"))) == entry("a@b", "c@d")


@given(st.text(), st.lists(st.text(), max_size=3), st.text(), st.floats(0, 1e10))
def test_any_text_comes_back(
    sender: str, addresses: list[str], envelope: str, arrived: float
) -> None:
    there = entry(*addresses)
    there.sender, there.arrived = sender, arrived
    there.next = arrived
    there.options = Options(envelope_id=envelope)
    octets = head(there)
    assert octets.count(b"\n") == 1
    assert read_head(octets) == there


def test_results_change_the_recipients_they_name() -> None:
    there = entry("a@b", "c@d")
    result = Result(1, Kind.WAITING, STATUS)
    follow(there, line(1.0, results=[result], next_try=99.0))
    assert there.recipients[1].status == STATUS
    assert [each.tries for each in there.recipients] == [0, 1]
    assert there.next == 99.0
    follow(there, line(2.0, results=[Result(1, Kind.DELIVERED, Status("2.0.0", ""))]))
    assert [each.number for each in there.waiting()] == [0]
    assert there.next == 99.0


def test_an_entry_is_done_when_the_end_of_all_was_told() -> None:
    there = entry("a@b")
    assert not there.done()
    follow(there, line(1.0, results=[Result(0, Kind.FAILED, STATUS)]))
    assert not there.done()
    follow(there, line(2.0, reported=[0]))
    assert there.done()


def test_expansion_adds_recipients() -> None:
    there = entry("list@b")
    more = [Waiting(1, "c@d", "smtp", "d", parent=0)]
    follow(
        there,
        line(1.0, results=[Result(0, Kind.EXPANDED, Status("2.1.5", ""))], more=more),
    )
    assert there.recipients[1] == more[0]
    assert [each.number for each in there.waiting()] == [1]


def test_a_warning_is_for_those_that_wait() -> None:
    there = entry("a@b", "c@d")
    follow(there, line(1.0, results=[Result(0, Kind.FAILED, STATUS)]))
    follow(there, line(2.0, warned=True))
    assert [each.warned for each in there.recipients] == [False, True]


@pytest.mark.parametrize("held", [True, False])
def test_an_entry_is_held_until_it_is_released(held: bool) -> None:
    there = entry("a@b")
    there.held = not held
    follow(there, line(1.0, held=held))
    assert there.held is held


@pytest.mark.parametrize("octet", range(0, 200, 3))
def test_a_changed_octet_is_noticed(octet: int) -> None:
    octets = bytearray(head(entry("a@b", "c@d")))
    octets[octet] ^= 1
    with pytest.raises(Damaged):
        read_head(bytes(octets))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"00000000 {}\n",
        summed(b"[]"),
        summed(b"no JSON"),
        summed(b'{"version":1}'),
        summed(b'{"version":1,"id":"a","sender":"","arrived":0,"size":1,"options":0}'),
        head(entry("a@b"))[:-1],
    ],
)
def test_what_is_no_head_is_not_believed(octets: bytes) -> None:
    with pytest.raises((Damaged, FromLater)):
        read_head(octets)


def test_a_later_version_is_told_from_damage() -> None:
    value = json.loads(head(entry("a@b"))[9:])
    value["version"] = 2
    with pytest.raises(FromLater, match="version 2"):
        read_head(summed(json.dumps(value).encode()))


@pytest.mark.parametrize(
    "text",
    [
        b'{"results":[[9,"failed","5.0.0","","" ]]}',
        b'{"results":[[0,"gone","5.0.0","","" ]]}',
        b'{"results":[[0,"failed"]]}',
        b'{"reported":[9]}',
        b'{"more":[{"what":1}]}',
    ],
)
def test_a_line_that_cannot_be_true_is_not_believed(text: bytes) -> None:
    with pytest.raises(Damaged):
        follow(entry("a@b"), summed(text))


@given(st.binary(max_size=40))
def test_octets_that_are_no_line_change_nothing(octets: bytes) -> None:
    there = entry("a@b")
    before = copy.deepcopy(there)
    with pytest.raises(Damaged):
        follow(there, octets)
    assert there == before


# -- what is too much for one line


def many(count: int) -> list[Waiting]:
    return [
        Waiting(number, f"u{number}@d", "smtp", "d", parent=0)
        for number in range(1, count + 1)
    ]


def test_what_fits_is_one_line() -> None:
    assert len(lines(1.0, more=many(MEMBERS), reported=[0])) == 1


def test_lines_that_count_together_count_when_the_last_is_there() -> None:
    there = entry("list@b")
    result = Result(0, Kind.EXPANDED, Status("2.1.5", ""))
    *parts, last = lines(1.0, results=[result], more=many(3 * MEMBERS + 1))
    assert len(parts) == 4
    assert not any(map(ends, parts))
    assert ends(last)
    before = entry("list@b")
    for part in parts:
        follow(there, part)
        assert (there.recipients, there.waiting()) == (
            before.recipients,
            before.waiting(),
        )
    follow(there, last)
    assert there.recipients[1:] == many(3 * MEMBERS + 1)
    assert there.recipients[0].kind is Kind.EXPANDED
    assert there.parts == []


def test_no_line_of_a_hundred_thousand_members_holds_up_others() -> None:
    """JSON of a line is one step, in which nothing else runs."""
    result = [Result(0, Kind.EXPANDED, Status("2.1.5", ""))]
    assert max(map(len, lines(1.0, results=result, more=many(100_000)))) < 200_000


def test_many_results_and_numbers_come_back() -> None:
    there = entry(*[f"u{number}@d" for number in range(MEMBERS * 30)])
    results = [
        Result(each.number, Kind.FAILED, Status("5.1.1", f"no {each.number % 3}"))
        for each in there.recipients
    ]
    reported = [each.number for each in there.recipients]
    for octets in lines(1.0, results=results, reported=reported):
        follow(there, octets)
    assert [each.status for each in there.recipients] == [
        each.status for each in results
    ]
    assert {each.tries for each in there.recipients} == {1}
    assert there.done()


def test_the_same_result_is_written_once() -> None:
    same = [Result(number, Kind.WAITING, STATUS) for number in range(400)]
    assert len(line(1.0, results=same)) < 400 * 5


@pytest.mark.parametrize("octets", [b"", b"nonsense\n", b"00000000 {}\n"])
def test_what_is_not_whole_ends_nothing(octets: bytes) -> None:
    assert not ends(octets)
    with pytest.raises(Torn):
        follow(entry("a@b"), octets)

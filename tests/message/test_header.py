"""Header blocks: RFC 5322 section 2.2."""

import pytest
from hypothesis import given, strategies as st

from maildrop.message.header import (
    cleaned,
    collect,
    header_end,
    scan,
    select,
    unfolded,
)
from maildrop.message.limits import Limits

HEADER = (
    b"Received: one\r\n\tfolded\r\nFrom : a@b\r\nbad line\r\nSUBJECT:x\r\n"
    b"received: two\r\n\r\n"
)


@pytest.mark.parametrize(
    ("octets", "ends"),
    [
        (b"A: b\r\n\r\nbody", (6, 8)),
        (b"\r\nbody", (0, 2)),
        (b"\r\n", (0, 2)),
        (b"A: b\r\n", (6, 6)),
        (b"A: b", (4, 4)),
        (b"", (0, 0)),
        (b"A: b\r\n \r\n\r\n", (9, 11)),
        (b"A: b\r\r\n\r\n", (7, 9)),
    ],
)
def test_a_header_ends_at_the_first_empty_line(
    octets: bytes, ends: tuple[int, int]
) -> None:
    assert header_end(octets, 0, len(octets)) == ends


def test_fields_have_line_name_and_value() -> None:
    fields = scan(HEADER, 0, len(HEADER))
    assert [(name, value) for _, name, value in fields] == [
        (b"Received", b"one\r\n\tfolded\r"),
        (b"From", b"a@b\r"),
        (b"SUBJECT", b"x\r"),
        (b"received", b"two\r"),
    ]
    assert fields[1][0] == b"From : a@b\r"


def test_a_line_that_starts_with_space_starts_no_field() -> None:
    assert scan(b" From: a\r\nTo: b\r\n", 0, 17)[0][1] == b"To"


def test_values_are_collected_by_name() -> None:
    fields = scan(HEADER, 0, len(HEADER))
    assert collect(fields, {b"received", b"subject", b"to"}) == {
        b"received": [b"one\n\tfolded", b"two"],
        b"subject": [b"x"],
    }


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (b" x\r", b"x"),
        (b"x", b"x"),
        (b" \t x \r", b"x "),
        (b"   \r", b"  "),
        (b"\r", b""),
        (b"", b""),
        (b"\r\n x\r", b"\n x"),
        (b" a\r\n b\r\n\tc\r", b"a\n b\n\tc"),
    ],
)
def test_a_value_is_what_stands_behind_colon_and_space(
    value: bytes, clean: bytes
) -> None:
    assert cleaned(b"A :" + value) == clean
    line = b"A :" + value + b"\n"
    assert collect(scan(line, 0, len(line)), {b"a"}) == {b"a": [clean]}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (b"a\n b", b"a b"),
        (b"\n <x>", b" <x>"),
        (b"a\rb", b"a b"),
        (b"a\r", b"a"),
        (b"a\r\n\r\n b", b"a b"),
    ],
)
def test_unfolding_takes_the_line_ends(value: bytes, line: bytes) -> None:
    """RFC 5322 section 2.2.3."""
    assert unfolded(value) == line


@pytest.mark.parametrize(
    ("names", "without", "lines"),
    [
        ({b"FROM"}, False, b"From : a@b\r\n\r\n"),
        ({b"RECEIVED"}, False, b"Received: one\r\n\tfolded\r\nreceived: two\r\n\r\n"),
        ({b"TO"}, False, b"\r\n"),
        (set(), False, b"\r\n"),
        ({b"RECEIVED", b"SUBJECT"}, True, b"From : a@b\r\nbad line\r\n\r\n"),
        (set(), True, HEADER),
    ],
)
def test_lines_are_selected_by_name(
    names: set[bytes], without: bool, lines: bytes
) -> None:
    """RFC 3501 section 6.4.5, HEADER.FIELDS and HEADER.FIELDS.NOT."""
    assert select(HEADER, names, without=without) == lines


def test_a_last_line_without_crlf_gets_one() -> None:
    assert select(b"A: b\r\nC: d", {b"C"}) == b"C: d\r\n\r\n"


def test_fields_over_the_limit_are_not_looked_at() -> None:
    header = b"A: b\r\n" * 10
    assert len(scan(header, 0, len(header), Limits(fields=3))) == 3


@pytest.mark.parametrize(
    ("octets", "count"), [(60, 10), (59, 9), (12, 2), (11, 1), (5, 0)]
)
def test_octets_over_the_limit_are_not_looked_at(octets: int, count: int) -> None:
    header = b"A: b\r\n" * 10
    found = scan(header, 0, len(header), Limits(header_octets=octets))
    assert len(found) == count


PIECES = st.sampled_from(
    [b"A", b":", b" ", b"\t", b"\r\n", b"\r\n ", b"\r", b"\n", b"\0", b"Subject: "]
)


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_selected_and_left_out_lines_are_the_header(octets: bytes) -> None:
    end, body = header_end(octets, 0, len(octets))
    assert 0 <= end <= body <= len(octets)
    rest = select(octets[:body], {b"A"}, without=True)
    lines = select(octets[:body], {b"A"})
    assert len(rest) + len(lines) <= len(octets) + 4
    for line, name, value in scan(octets, 0, body):
        assert line.startswith(name)
        assert line.endswith(value)
        assert line in octets


def test_a_long_header_takes_one_pass() -> None:
    """No quantifier gives back: these would take hours if one did."""
    hostile = [
        b"A" * 1_000_000,
        b"A: " + b"x" * 1_000_000,
        b"A" + b" " * 1_000_000,
        b"A: b\r\n" * 100_000,
        b"A: b" + b"\r\n " * 200_000,
        b"\r\n".join([b"A" * 50] * 20_000),
    ]
    for header in hostile:
        assert len(scan(header, 0, len(header))) <= 10_000
        assert len(select(header, {b"A"}, without=True)) <= len(header)

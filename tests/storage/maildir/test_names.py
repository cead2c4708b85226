"""File names of a Maildir."""

import dataclasses

import pytest
from hypothesis import given, strategies as st

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.names import (
    FORWARDED,
    Letters,
    base_of,
    new_base,
    order,
    sizes,
    staged_name,
    with_place,
)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        (b"1.M2P3.host:2,S", b"1.M2P3.host"),
        (b"1.M2P3.host,S=1,W=2:2,", b"1.M2P3.host,S=1,W=2"),
        (b"plain", b"plain"),
        (b"odd:1,x:2,S", b"odd"),
        (b":2,S", b""),
    ],
)
def test_the_base_name_ends_at_the_colon(name: bytes, base: bytes) -> None:
    assert base_of(name) == base


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (b"1.x.host,S=12,W=13", (12, 13)),
        (b"1.x.host,W=13,S=12", (12, 13)),
        (b"1.x.host,S=12", (12, None)),
        (b"1.x.host", (None, None)),
        (b"1.x.host,S=12x,W=", (None, None)),
        (b"1.x.host,S=99999999999", (None, None)),
    ],
)
def test_names_tell_sizes(base: bytes, expected: tuple[int | None, ...]) -> None:
    assert sizes(base) == expected


@pytest.mark.parametrize(
    ("flags", "keywords", "end"),
    [
        (0, 0, b":2,"),
        (SEEN, 0, b":2,S"),
        (SEEN | ANSWERED | FLAGGED | DELETED | DRAFT, 0, b":2,DFRST"),
        (SEEN, 0b101, b":2,Sac"),
        (0, 0b010, b":2,P"),
        (0x80 | FLAGGED, 0, b":2,F"),
        (0, 1 << 26, b":2,"),
    ],
)
def test_flags_become_letters_in_order(flags: int, keywords: int, end: bytes) -> None:
    letters = Letters(["one", FORWARDED, "three", *[f"k{n}" for n in range(24)]])
    assert letters.end(flags, keywords) == end


@pytest.mark.parametrize(
    ("name", "flags", "keywords", "rest"),
    [
        (b"x:2,FS", FLAGGED | SEEN, 0, b""),
        (b"x:2,SF", FLAGGED | SEEN, 0, b""),
        (b"x", 0, 0, b""),
        (b"x:2,a", 0, 1, b""),
        (b"x:2,z", 0, 0, b"z"),
        (b"x:2,XS", SEEN, 0, b"X"),
        (b"x:1,S", 0, 0, b""),
        (b"x:2,P", 0, 2, b""),
        (b"x:2,b", 0, 2, b""),  # another server gave it a letter
        (b"x:2,Pb", 0, 2, b""),
    ],
)
def test_letters_become_flags(
    name: bytes, flags: int, keywords: int, rest: bytes
) -> None:
    assert Letters(["one", FORWARDED]).parse(name, 0) == (flags, keywords, rest)


def test_passed_without_its_keyword_is_kept_as_a_letter() -> None:
    assert Letters([]).parse(b"x:2,PS", 0) == (SEEN, 0, b"P")


def test_keywords_without_a_letter_are_the_ledgers() -> None:
    names = [f"k{n}" for n in range(30)]
    assert Letters(names).parse(b"x:2,b", 1 << 28 | 1) == (0, 1 << 28 | 2, b"")


@given(st.integers(0, 31), st.integers(0, (1 << 26) - 1))
def test_what_is_written_reads_back(flags: int, keywords: int) -> None:
    letters = Letters([FORWARDED, *[f"k{n}" for n in range(25)]])
    name = b"base" + letters.end(flags, keywords)
    assert letters.parse(name, 0) == (flags, keywords, b"")


@given(st.binary(max_size=30))
def test_any_name_parses(name: bytes) -> None:
    flags, keywords, _ = Letters(["a"]).parse(name, 0)
    assert flags in range(32)
    assert keywords in (0, 1)
    base_of(name)
    order(name)
    sizes(name)


def test_new_names_are_all_different_and_say_when_and_where() -> None:
    host = dataclasses.replace(
        Host.here(), clock=lambda: 1700000000.25, name=b"a/b:c,d", process=77
    )
    names = {new_base(host) for _ in range(100)}
    assert len(names) == 100
    name = names.pop()
    assert name.startswith(b"1700000000.M250000P77Q")
    assert name.endswith(rb".a\057b\072c\054d")


def test_a_staged_file_is_found_by_its_later_name() -> None:
    base = new_base(Host.here())
    final = with_place(base, 0xFE00, 0x1234) + b",S=1,W=2"
    assert b"VFE00I1234Q" in final
    assert staged_name(final) == staged_name(base) == base


def test_messages_are_in_order_of_the_times_in_their_names() -> None:
    ordered = [b"odd", b"9.M5P1.h", b"10.M7P1.h", b"10.M80P1.h", b"10.M80P2.h"]
    assert sorted(set(ordered), key=order) == ordered

"""The name column, and reading through a window."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.errors import MailboxVanished
from maildrop.storage.index.names import Names
from maildrop.storage.index.window import Window
from tests.storage.index.conftest import OpenLedger, add


def test_names_follow_their_rows() -> None:
    names = Names()
    names.extend([b"a", b"bb", b"ccc"])
    names.append(b"d")
    names.remove([1])
    names.replace(0, b"new")
    assert names.all() == [b"new", b"ccc", b"d"]
    assert [names.name(row) for row in range(3)] == [b"new", b"ccc", b"d"]
    assert len(names) == 3
    assert names.holds(b"ccc")
    assert not names.holds(b"cc")


def test_a_snapshot_cut_short_is_noticed(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    ledger = open_ledger()
    add(ledger, *[b"name-%d" % n for n in range(2000)])
    ledger.compact()
    os.truncate(tmp_path / "maildrop.ledger", 5000)
    with pytest.raises(MailboxVanished):
        ledger.table.names.name(1999)
    with pytest.raises(MailboxVanished):
        ledger.table.names.all()


@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 3000)), max_size=20),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_shows_what_the_file_holds(
    tmp_path: Path, asked: list[tuple[int, int]]
) -> None:
    octets = bytes(n % 251 for n in range(8000))
    path = tmp_path / "file"
    path.write_bytes(octets)
    window = Window(os.open(path, os.O_RDONLY))
    for offset, length in asked:
        assert window.piece(offset, length) == octets[offset : offset + length]
    window.close()


def test_a_window_finds_the_end_of_a_long_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 6000 + b"\0" + b"y" * 50)
    window = Window(os.open(path, os.O_RDONLY))
    assert window.line(10, b"\0") == b"x" * 5990
    assert window.line(6001, b"\0") is None
    window.close()


NAMES = st.binary(min_size=1, max_size=5).map(lambda name: name.replace(b"\0", b"-"))
STEPS = st.one_of(
    st.tuples(st.just("extend"), st.lists(NAMES, max_size=4)),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.integers(0, 30), NAMES),
)


@given(st.lists(NAMES), st.lists(STEPS, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_are_what_a_list_of_them_would_be(
    tmp_path: Path, kept: list[bytes], steps: list[tuple[Any, ...]]
) -> None:
    begun = Names()
    begun.extend(kept)
    blob, offsets = begun.packed()
    (tmp_path / "names").write_bytes(b"head" + blob)
    names = Names()
    fd = os.open(tmp_path / "names", os.O_RDONLY)
    names.rest_on(Window(fd), 4, len(blob), offsets)
    plain = list(kept)
    for kind, *arguments in steps:
        if kind == "extend":
            names.extend(arguments[0])
            plain += arguments[0]
        elif plain:
            row = arguments[0] % len(plain)
            if kind == "remove":
                names.remove([row])
                del plain[row]
            else:
                names.replace(row, arguments[1])
                plain[row] = arguments[1]
    assert names.all() == plain
    assert [names.name(row) for row in range(len(plain))] == plain
    octets, starts = names.packed()
    assert octets == b"".join(name + b"\0" for name in plain)
    assert [octets[at : octets.find(0, at)] for at in starts] == plain
    names.close()

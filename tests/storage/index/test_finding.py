"""Octets in memory: found as ``bytes.find`` finds them."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.index.finding import Region

few = st.binary(max_size=6).map(lambda octets: octets.translate(b"ab" * 128))


def filled(region: Region, octets: bytes, path: Path) -> Region:
    path.write_bytes(octets)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert region.fill(fd, 0, len(octets))
    finally:
        os.close(fd)
    return region


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finding") / "file"


@pytest.mark.parametrize("regions", [Region, lambda: Region(memmem=None)])
@given(
    octets=st.lists(few, max_size=8).map(b"".join),
    wanted=few.filter(bool),
    start=st.integers(0, 50),
    end=st.integers(0, 50),
)
def test_it_finds_what_bytes_find(
    regions: type[Region],
    scratch: Path,
    octets: bytes,
    wanted: bytes,
    start: int,
    end: int,
) -> None:
    region = filled(regions(), octets, scratch)
    ends = min(end, len(octets))
    assert region.find(wanted, start, ends) == octets.find(wanted, start, ends)


@pytest.mark.parametrize("regions", [Region, lambda: Region(memmem=None)])
def test_it_looks_at_no_octet_outside(regions: type[Region], scratch: Path) -> None:
    region = filled(regions(), b"abc", scratch)
    assert region.find(b"c", 0, 1 << 40) == 2
    assert region.find(b"bc", 0, 2) == -1
    assert region.find(b"a", 5, 9) == -1
    assert region.find(b"", 0, 3) == -1


def test_a_file_that_ends_too_early_does_not_fill_it(scratch: Path) -> None:
    scratch.write_bytes(b"abc")
    fd = os.open(scratch, os.O_RDONLY)
    try:
        region = Region()
        assert not region.fill(fd, 1, 3)
        assert not region.fill(fd, 9, 1)
        assert region.fill(fd, 1, 2)
        assert bytes(region.view[:2]) == b"bc"
    finally:
        os.close(fd)

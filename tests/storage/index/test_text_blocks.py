"""Blocks of folded text: what is packed is found, and nothing else is."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.mailbox.stored_text import Where
from maildrop.storage.index.finding import Region
from maildrop.storage.index.text_blocks import HEAD, Block, Entry, Head, among, pack

words = st.text(alphabet="abä\n", max_size=6).map(str.encode)
entries = st.lists(st.tuples(words, words), min_size=1, max_size=6).map(
    lambda texts: [Entry(3 * n + 1, *text) for n, text in enumerate(texts)]
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blocks") / "file"


def blocks(octets: bytes, scratch: Path) -> list[Block]:
    """The blocks that some octets are."""
    scratch.write_bytes(octets)
    fd = os.open(scratch, os.O_RDONLY)
    found, at = [], 0
    try:
        while at < len(octets):
            head = Head.of(octets[at : at + HEAD.size])
            assert head is not None
            region = Region()
            assert region.fill(fd, at, head.length)
            assert Block.sound(head, region)
            found.append(Block(head, region))
            at += head.length
    finally:
        os.close(fd)
    return found


@given(kept=entries, wanted=words.filter(bool))
def test_what_is_found_is_what_holds_it(
    scratch: Path, kept: list[Entry], wanted: bytes
) -> None:
    (block,) = blocks(pack(kept), scratch)
    header = [e.uid for e in kept if wanted in e.header]
    body = [e.uid for e in kept if wanted in e.body]
    assert list(block.fits(wanted, Where.HEADER)) == header
    assert list(block.fits(wanted, Where.BODY)) == body
    anywhere = list(block.fits(wanted, Where.ANYWHERE))
    assert anywhere == sorted({*header, *body})


@given(kept=entries, data=st.data())
def test_messages_come_back_as_they_were(
    scratch: Path, kept: list[Entry], data: st.DataObject
) -> None:
    (block,) = blocks(pack(kept), scratch)
    alive = data.draw(st.lists(st.sampled_from(kept), unique=True))
    uids = sorted(entry.uid for entry in alive)
    assert list(block.entries(uids)) == [e for e in kept if e.uid in uids]


def test_a_message_without_text_is_absent(scratch: Path) -> None:
    kept = [Entry(1, b"", b""), Entry(2, b"a", b""), Entry(3, b"", b"")]
    (block,) = blocks(pack(kept), scratch)
    assert list(block.absent) == [1, 3]
    assert list(block.uids) == [2]
    assert (block.head.first, block.head.last) == (1, 3)


def test_nothing_reaches_from_one_message_into_the_next(scratch: Path) -> None:
    (block,) = blocks(pack([Entry(1, b"ab", b"cd"), Entry(2, b"ef", b"")]), scratch)
    for wanted in (b"bc", b"be", b"de", b"df", b"abcd"):
        assert not block.fits(wanted, Where.ANYWHERE)


def test_much_text_makes_several_blocks(scratch: Path) -> None:
    kept = [Entry(uid, b"h", b"x" * 700_000) for uid in range(1, 6)]
    made = blocks(pack(kept), scratch)
    assert [(one.head.first, one.head.last) for one in made] == [(1, 2), (3, 4), (5, 5)]


def test_no_messages_make_no_block() -> None:
    assert pack([]) == b""


@pytest.mark.parametrize("bit", range(8 * HEAD.size))
def test_a_head_with_a_wrong_bit_is_not_believed(bit: int) -> None:
    octets = bytearray(pack([Entry(1, b"a", b"b")]))
    octets[bit // 8] ^= 1 << bit % 8
    assert Head.of(bytes(octets)) is None


def test_half_a_head_is_none() -> None:
    octets = pack([Entry(1, b"a", b"b")])
    assert Head.of(octets) is not None
    assert Head.of(octets[: HEAD.size - 1]) is None


@settings(max_examples=200)
@given(uids=st.lists(st.integers(0, 9), unique=True).map(sorted), uid=st.integers(0, 9))
def test_among(uids: list[int], uid: int) -> None:
    assert among(uids, uid) == (uid in uids)

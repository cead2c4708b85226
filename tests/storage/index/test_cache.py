"""The cache file, and what is answered from it."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from maildrop.message.fragments import fragment
from maildrop.storage.index.cache import CACHE, Cache
from maildrop.storage.index.fragments import DIGEST, KEYS, Fragments, digest
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.remembered import Remembered
from tests.storage.index.conftest import OpenLedger, add, expunge

SUBJECT = b"HEADER.FIELDS (SUBJECT)"
UNUSUAL = b"HEADER.FIELDS (X-UNUSUAL)"


def message(uid: int) -> bytes:
    return b"From: a@b.c\r\nSubject: %d\r\nX-Unusual: u%d\r\n\r\nbody\r\n" % (uid, uid)


class Mail:
    """Messages by UID, and how many were read; headers too if ``alone``."""

    def __init__(self) -> None:
        self.reads = 0
        self.header_reads = 0
        self.alone = False

    def read(self, uids: Sequence[int]) -> list[bytes | None]:
        self.reads += len(uids)
        return [message(uid) for uid in uids]

    def headers(self, uids: Sequence[int]) -> list[bytes | None]:
        if not self.alone:
            return [None] * len(uids)
        self.header_reads += len(uids)
        return [message(uid)[:-6] for uid in uids]


Pieces = Callable[..., Fragments]


@pytest.fixture
def mail() -> Mail:
    return Mail()


@pytest.fixture
def pieces(tmp_path: Path, host: Host, mail: Mail) -> Pieces:
    """The pieces of a ledger's messages, as a new process would have them."""

    def opened(ledger: Ledger) -> Fragments:
        return Fragments(
            str(tmp_path), ledger, host, mail.read, mail.headers, Remembered()
        )

    return opened


def expected(key: bytes, uids: Sequence[int]) -> list[bytes]:
    made = digest if key == DIGEST else functools.partial(fragment, key=key)
    return [made(message(uid)) for uid in uids]


@pytest.mark.parametrize("key", [*KEYS, SUBJECT, UNUSUAL])
def test_a_message_is_read_once(
    open_ledger: OpenLedger, pieces: Pieces, mail: Mail, key: bytes
) -> None:
    ledger = open_ledger()
    uids = add(ledger, *[b"n%d" % n for n in range(150)])
    some = pieces(ledger)
    assert some.pieces(key, uids) == expected(key, uids)
    before = mail.reads
    assert some.pieces(key, uids) == expected(key, uids)
    assert some.pieces(key, uids[3:9:2]) == expected(key, uids[3:9:2])
    assert pieces(open_ledger()).pieces(key, uids) == expected(key, uids)
    assert mail.reads == before


def test_popular_fields_come_from_the_prepared_lines(
    open_ledger: OpenLedger, pieces: Pieces, mail: Mail
) -> None:
    ledger = open_ledger()
    uids = add(ledger, b"a", b"b")
    some = pieces(ledger)
    some.pieces(b"ENVELOPE", uids)
    before = mail.reads
    assert some.pieces(SUBJECT, uids) == expected(SUBJECT, uids)
    assert mail.reads == before


@pytest.mark.parametrize("key", [b"ENVELOPE", SUBJECT, UNUSUAL, b"HEADER"])
def test_a_header_is_enough_for_what_it_says(
    open_ledger: OpenLedger, pieces: Pieces, mail: Mail, key: bytes
) -> None:
    mail.alone = True
    ledger = open_ledger()
    uids = add(ledger, b"a", b"b", b"c")
    some = pieces(ledger)
    assert some.pieces(key, uids) == expected(key, uids)
    before = mail.header_reads
    assert some.pieces(key, uids[1:]) == expected(key, uids[1:])
    assert mail.header_reads == before + (2 if key == b"HEADER" else 0)
    assert mail.reads == 0


def test_what_headers_gave_stays_when_more_is_asked_for(
    open_ledger: OpenLedger, pieces: Pieces, mail: Mail
) -> None:
    mail.alone = True
    ledger = open_ledger()
    uids = add(ledger, b"a", b"b")
    some = pieces(ledger)
    some.pieces(SUBJECT, uids)
    some.pieces(b"ENVELOPE", uids)
    before = mail.header_reads
    some = pieces(open_ledger())
    assert some.pieces(SUBJECT, uids) == expected(SUBJECT, uids)
    assert some.pieces(b"ENVELOPE", uids) == expected(b"ENVELOPE", uids)
    assert mail.header_reads == before
    assert some.pieces(b"BODY", uids) == expected(b"BODY", uids)
    assert mail.reads == 2


def test_what_is_kept_at_delivery_is_not_read(
    open_ledger: OpenLedger, pieces: Pieces, mail: Mail
) -> None:
    ledger = open_ledger()
    some = pieces(ledger)
    with ledger.locked():
        offsets = some.keep([1], [{key: b"kept " + key for key in KEYS}])
        batch = ledger.batch()
        batch.append(1, 10, 10, 0, 0, b"a", cache=offsets[0])
        ledger.commit(batch)
    assert some.pieces(b"ENVELOPE", [1]) == [b"kept ENVELOPE"]
    assert mail.reads == 0


def test_messages_that_are_gone_have_no_pieces(
    open_ledger: OpenLedger, pieces: Pieces
) -> None:
    ledger = open_ledger()
    uids = add(ledger, b"a", b"b", b"c")
    some = pieces(ledger)
    some.pieces(b"ENVELOPE", uids)
    expunge(ledger, 2)
    for key in (b"ENVELOPE", SUBJECT):
        one, three = expected(key, [1, 3])
        assert some.pieces(key, uids) == [one, None, three]


def test_damage_anywhere_costs_time_and_nothing_else(
    open_ledger: OpenLedger, pieces: Pieces, tmp_path: Path
) -> None:
    uids = add(open_ledger(), b"a", b"b")
    pieces(open_ledger()).pieces(b"ENVELOPE", uids)
    whole = (tmp_path / CACHE).read_bytes()
    for at in range(0, len(whole), 7):
        octets = bytearray(whole)
        octets[at] ^= 0x55
        (tmp_path / CACHE).write_bytes(octets)
        some = pieces(open_ledger())
        assert some.pieces(b"ENVELOPE", uids) == expected(b"ENVELOPE", uids)
        some.close()


def test_a_cut_cache_costs_time_and_nothing_else(
    open_ledger: OpenLedger, pieces: Pieces, tmp_path: Path
) -> None:
    uids = add(open_ledger(), b"a", b"b")
    some = pieces(open_ledger())
    some.pieces(b"ENVELOPE", uids)
    whole = (tmp_path / CACHE).stat().st_size
    for size in range(whole - 1, 0, -41):
        os.truncate(tmp_path / CACHE, size)
        some = pieces(open_ledger())
        assert some.pieces(b"BODY", uids) == expected(b"BODY", uids)
        some.close()


def test_a_lost_cache_is_begun_anew(
    open_ledger: OpenLedger, pieces: Pieces, tmp_path: Path
) -> None:
    uids = add(open_ledger(), b"a", b"b")
    some = pieces(open_ledger())
    some.pieces(b"ENVELOPE", uids)
    (tmp_path / CACHE).unlink()
    again = pieces(open_ledger())
    assert again.pieces(b"ENVELOPE", uids) == expected(b"ENVELOPE", uids)
    assert (tmp_path / CACHE).exists()


def test_folding_drops_what_is_not_in_use(
    open_ledger: OpenLedger, pieces: Pieces, tmp_path: Path, mail: Mail
) -> None:
    ledger, other = open_ledger(), open_ledger()
    uids = add(ledger, *[b"n%d" % n for n in range(50)])
    some, others = pieces(ledger), pieces(other)
    some.pieces(b"ENVELOPE", uids)
    some.pieces(UNUSUAL, uids)
    other.refresh()
    others.pieces(b"ENVELOPE", uids)
    expunge(ledger, *range(1, 41))
    before = (tmp_path / CACHE).stat().st_size
    assert some.cache.wasteful(least=100)
    some.cache.compact()
    assert (tmp_path / CACHE).stat().st_size < before / 4
    assert not some.cache.wasteful(least=100)
    reads = mail.reads
    rest = uids[40:]
    other.refresh()
    for one in (some, others, pieces(open_ledger())):
        for key in (b"ENVELOPE", UNUSUAL):
            assert one.pieces(key, rest) == expected(key, rest)
    assert mail.reads == reads


def test_only_so_many_sets_of_fields_are_kept(
    open_ledger: OpenLedger, pieces: Pieces, tmp_path: Path
) -> None:
    ledger = open_ledger()
    uids = add(ledger, b"a")
    some = pieces(ledger)
    for number in range(40):
        some.pieces(b"HEADER.FIELDS (X-%d)" % number, uids)
    assert len(ledger.table.cache_keys) == 16
    assert (tmp_path / CACHE).stat().st_size < 20_000


def test_a_piece_over_the_limit_is_made_each_time(
    open_ledger: OpenLedger, tmp_path: Path, host: Host, mail: Mail
) -> None:
    ledger = open_ledger()
    uids = add(ledger, b"a")
    directory, memory = str(tmp_path), Remembered()
    some = Fragments(directory, ledger, host, mail.read, mail.headers, memory)
    some.cache._piece_octets = 10
    for _ in range(2):
        assert some.pieces(b"ENVELOPE", uids) == expected(b"ENVELOPE", uids)
    assert mail.reads == 2


def test_memory_for_pieces_is_bounded() -> None:
    remembered = Remembered(octets_max=2000)
    for number in range(20):
        remembered.add("mailbox", b"key %d" % number, {1: b"x" * 300})
    held = [n for n in range(20) if remembered.pieces("mailbox", b"key %d" % n)]
    assert held == [16, 17, 18, 19]
    remembered.forget("mailbox")
    assert not remembered.pieces("mailbox", b"key 19")


def test_a_short_record_has_nothing_of_keys_that_came_after_it(
    open_ledger: OpenLedger, tmp_path: Path, host: Host
) -> None:
    ledger = open_ledger()
    one, two = add(ledger, b"one", b"two")
    cache = Cache(str(tmp_path), ledger, host, [b"A"])
    with ledger.locked():
        cache.add([one], [{b"A": b"a"}])
        assert cache.pieces(0, [0]) == [b"a"]
        cache.add([two], [{b"A": b"", b"B": b"", b"C": b"", b"D": b"d"}])
    assert cache.pieces(3, [0, 1]) == [b"", b"d"]

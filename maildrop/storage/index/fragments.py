"""Pieces of messages by key: from memory, from the cache file, or from the message.

In this file:
    Fragments    answers FETCH's questions that need no whole message
    cacheable    what is kept of a new message
    digest       what tells whether a message is still the same
    KEYS         what every cache file keeps of a message

Where a piece comes from:

    ENVELOPE, BODY, BODYSTRUCTURE     the cache file
    HEADER.FIELDS (popular names)     picked from HEADER.POPULAR of the cache file, and
                                      remembered in memory
    HEADER.FIELDS (others)            the cache file, once somebody asked
    anything else                     the message

Messages that the cache lacks are read, taken apart and added to it; of those that other
programs put there only the header, as long as nobody asks for more.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from twisted.logger import Logger

from maildrop.errors import AccessDenied, TemporaryError
from maildrop.message.fragments import (
    BODY,
    BODYSTRUCTURE,
    ENVELOPE,
    HEADER_POPULAR,
    compile_fields,
    fragment,
    prepare,
)
from maildrop.message.limits import Octets
from maildrop.storage.index.cache import Cache
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.text_file import TextFile

#: The key of ``digest``; no client asks for it.
DIGEST: Final = b"DIGEST"
#: The key of the header's digest, where no more than the header was read.
HEADER_DIGEST: Final = b"HEADER.DIGEST"
KEYS: Final = (ENVELOPE, BODY, BODYSTRUCTURE, HEADER_POPULAR, DIGEST)
_FIELDS: Final = b"HEADER.FIELDS ("
#: How the keys begin whose pieces follow from the header alone.
_OF_HEADER: Final = (ENVELOPE, b"HEADER")
#: Messages read into memory at once.
_CHUNK: Final = 64
#: Most messages whose pieces are looked up at once: a few milliseconds' work.
_AT_HAND: Final = 1000

#: Stands for a piece that a message does not have; no key's value looks so.
_NOTHING: Final = b"-"

Maker = Callable[[Sequence[int]], Sequence[bytes | None]]


class Fragments:
    """The pieces of one mailbox's messages.

    Args:
        directory: The control directory.
        ledger: The mailbox's.
        host: Disk and random numbers.
        read: Gives whole messages by UID; None for one that is gone.
        headers: Gives headers with their empty line; None for one that cannot be had
            alone.
        remembered: Memory shared by all mailboxes.

    Attributes:
        text: What SEARCH looks through, which lies beside the cache.
    """

    _log = Logger()

    def __init__(
        self,
        directory: str,
        ledger: Ledger,
        host: Host,
        read: Maker,
        headers: Maker,
        remembered: Remembered,
    ) -> None:
        self._ledger = ledger
        self._read = read
        self._headers = headers
        self._remembered = remembered
        self.cache = Cache(directory, ledger, host, KEYS)
        self.text = TextFile(directory, ledger, host)

    def pieces(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """One piece of each message (UIDs ascending); None for one that is gone."""
        if key in KEYS:
            return self._kept(key, uids)
        if not key.startswith(_FIELDS):
            return self._made(key, uids)
        known = self._remembered.pieces(self, key)
        return _completed(list(map(known.get, uids)), uids, self._fields_of(key))

    def at_hand(self, key: bytes, uids: Sequence[int]) -> list[bytes | None] | None:
        """The same, if no message has to be read for it; else None."""
        if len(uids) > _AT_HAND:
            return None
        if key in KEYS:
            return self._cached(key, uids)
        known = self._remembered.pieces(self, key)
        pieces = list(map(known.get, uids))
        return pieces if None not in pieces else self._picked(key, uids, pieces)

    def _picked(
        self, key: bytes, uids: Sequence[int], pieces: list[bytes | None]
    ) -> list[bytes | None] | None:
        """``pieces`` with each None picked from the popular fields, if that goes."""
        if not key.startswith(_FIELDS):
            return None
        missing = [uid for uid, piece in zip(uids, pieces, strict=True) if not piece]
        popular = self._cached(HEADER_POPULAR, missing)
        if popular is None:
            return None
        select = compile_fields(key)
        picked = {
            uid: piece
            for uid, lines in zip(missing, popular, strict=True)
            if lines is not None and (piece := select(lines)) is not None
        }
        self._remembered.add(self, key, picked)
        if len(picked) < len(missing):
            return None
        return [piece or picked[u] for u, piece in zip(uids, pieces, strict=True)]

    def _cached(self, key: bytes, uids: Sequence[int]) -> list[bytes | None] | None:
        """Pieces from the cache file, if it has all of them."""
        rows = self._ledger.table.rows(uids)
        number = self.cache.key_number(key)
        if number is None or len(rows) != len(uids):
            return None
        pieces: list[bytes | None] = list(self.cache.pieces(number, rows))
        return None if b"" in pieces else pieces

    def keep(
        self, uids: Sequence[int], pieces: Sequence[Mapping[bytes, bytes]]
    ) -> list[int]:
        """Append the pieces of new messages to the cache; the ledger is locked.

        Returns:
            Where they stand, for the record that makes the messages known; zeros when
            the cache cannot be written.
        """
        offsets: list[int] = []
        with self._quietly():
            offsets += self.cache.append(uids, pieces)
        return offsets or [0] * len(uids)

    def _fields_of(self, key: bytes) -> Maker:
        def fields(uids: Sequence[int]) -> Sequence[bytes | None]:
            select = compile_fields(key)
            popular = self._kept(HEADER_POPULAR, uids)
            picked = [None if lines is None else select(lines) for lines in popular]
            pieces = _completed(picked, uids, lambda rest: self._kept(key, rest))
            by_uid = {u: p for u, p in zip(uids, pieces, strict=True) if p is not None}
            self._remembered.add(self, key, by_uid)
            return pieces

        return fields

    def _kept(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """Pieces from the cache file; those that it lacks are made and added."""
        rows = self._ledger.table.rows(uids)
        if len(rows) != len(uids):
            alive = [self._ledger.table.uids[row] for row in rows]
            by_uid = dict(zip(alive, self._kept(key, alive), strict=True))
            return [by_uid.get(uid) for uid in uids]
        number = self.cache.key_number(key)
        if number is None:
            return self._made(key, uids, keep=True)
        pieces: list[bytes | None] = list(self.cache.pieces(number, rows))
        if b"" not in pieces:
            return pieces
        absent = [piece or None for piece in pieces]
        return _completed(absent, uids, lambda rest: self._made(key, rest, keep=True))

    def _made(
        self, key: bytes, uids: Sequence[int], *, keep: bool = False
    ) -> list[bytes | None]:
        """Pieces from the messages themselves."""
        pieces: list[bytes | None] = []
        for at in range(0, len(uids), _CHUNK):
            some = uids[at : at + _CHUNK]
            if key.startswith(_OF_HEADER):
                pieces += self._made_of_headers(key, some, keep=keep)
            else:
                pieces += self._made_of(key, some, self._read(some), keep=keep)
        return pieces

    def _made_of_headers(
        self, key: bytes, uids: Sequence[int], *, keep: bool
    ) -> list[bytes | None]:
        """Pieces from headers, and from messages whose header cannot be had alone."""
        headers = self._headers(uids)
        nothing = _NOTHING if key in KEYS else b""
        pieces: list[bytes | None] = [
            None if header is None else fragment(header, key) or nothing
            for header in headers
        ]
        if keep:
            made = [
                (uid, {key: piece, HEADER_DIGEST: digest(header)})
                for uid, header, piece in zip(uids, headers, pieces, strict=True)
                if header is not None and piece is not None
            ]
            with self._quietly(), self._ledger.locked():
                self.cache.add([one[0] for one in made], [one[1] for one in made])
        return _completed(
            pieces,
            uids,
            lambda rest: self._made_of(key, rest, self._read(rest), keep=keep),
        )

    def _made_of(
        self,
        key: bytes,
        uids: Sequence[int],
        messages: Sequence[bytes | None],
        *,
        keep: bool,
    ) -> list[bytes | None]:
        if key in KEYS:
            prepared = [None if m is None else cacheable(m) for m in messages]
            if keep:
                self._keep_records(uids, prepared)
            return [None if by_key is None else by_key[key] for by_key in prepared]
        pieces = [None if m is None else fragment(m, key) for m in messages]
        if keep:
            self._keep_pieces(key, uids, pieces)
        return pieces

    def _keep_records(
        self, uids: Sequence[int], prepared: Sequence[Mapping[bytes, bytes] | None]
    ) -> None:
        with self._quietly(), self._ledger.locked():
            alive = [
                (uid, by_key)
                for uid, by_key in zip(uids, prepared, strict=True)
                if by_key is not None
            ]
            offsets = self.cache.append([a[0] for a in alive], [a[1] for a in alive])
            self.cache.point([a[0] for a in alive], offsets)

    def _keep_pieces(
        self, key: bytes, uids: Sequence[int], pieces: Sequence[bytes | None]
    ) -> None:
        with self._quietly(), self._ledger.locked():
            alive = [(u, p) for u, p in zip(uids, pieces, strict=True) if p is not None]
            self.cache.add([a[0] for a in alive], [{key: a[1]} for a in alive])

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        """A cache that cannot be written costs time, no more."""
        try:
            yield
        except (TemporaryError, AccessDenied) as error:
            self._log.warn("cache not written: {error}", error=str(error))

    def close(self) -> None:
        """Let go."""
        self._remembered.forget(self)
        self.cache.close()
        self.text.close()


def cacheable(octets: Octets) -> dict[bytes, bytes]:
    """What the cache keeps of a message; no piece is empty."""
    prepared = prepare(octets)
    # A header that is over the limits has no popular lines: say so, or it would be
    # looked for each time.
    kept = {key: piece or _NOTHING for key, piece in prepared.items()}
    kept[DIGEST] = digest(octets)
    return kept


def digest(octets: Octets) -> bytes:
    """16 octets that follow from all octets of a message."""
    return hashlib.sha256(octets).digest()[:16]


def _completed(
    pieces: list[bytes | None], uids: Sequence[int], make: Maker
) -> list[bytes | None]:
    """``pieces`` with each None made."""
    if None not in pieces:
        return pieces
    missing = [uid for uid, piece in zip(uids, pieces, strict=True) if piece is None]
    made = dict(zip(missing, make(missing), strict=True))
    return [
        made.get(uid) if piece is None else piece
        for uid, piece in zip(uids, pieces, strict=True)
    ]

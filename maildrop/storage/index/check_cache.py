"""Whether the pieces in the cache are those of the messages.

In this file:
    Resting        a ledger that is only looked at
    CacheCheck     looks at one cache file as it is, and at the text beside it
    repair_cache   makes records anew from the messages
"""

import os
from collections.abc import Callable, Iterator, Sequence

from maildrop.message.fragments import fragment
from maildrop.storage.findings import Code, Finding, codes_in, shown, uids_of
from maildrop.storage.index.cache import CACHE, Cache
from maildrop.storage.index.check_text import TextCheck
from maildrop.storage.index.fragments import KEYS, cacheable
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable


class Resting(Ledger):
    """What is in a ledger's files, where nobody is to follow or change them."""

    def __init__(self, table: IndexTable) -> None:
        self.table = table
        self.read_only = True
        self.fresh = False


class CacheCheck:
    """One cache file.

    Args:
        directory: The control directory.
        mailbox: Whose.
        table: Has the offsets.
        host: For the cache.
    """

    def __init__(
        self, directory: str, mailbox: str, table: IndexTable, host: Host
    ) -> None:
        self._path = f"{directory}/{CACHE}"
        self._mailbox = mailbox
        self._table = table
        resting = Resting(table)
        self._cache = Cache(directory, resting, host, KEYS)
        self._text = TextCheck(directory, mailbox, resting, host)
        self._usable: bool | None = None

    def examine_file(self) -> Iterator[Finding]:
        """What is wrong with the file as a whole."""
        wanted = self._table.cache_id
        if wanted and not self.usable:
            reason = "it is another file's, or damaged"
            if not os.path.lexists(self._path):
                reason = "there is no file"
            evidence = f"the ledger points into cache {wanted:014x}: {reason}"
            yield Finding(Code.CACHE_UNUSABLE, self._mailbox, evidence, self._path)
        yield from self._text.examine_file()

    @property
    def usable(self) -> bool:
        """Whether it is the file that the ledger points into."""
        if self._usable is None:
            self._usable = self._cache.is_there()
        return self._usable

    def piece(self, row: int, key: bytes) -> bytes:
        """A piece of a message; empty when it is not there or not to be believed."""
        if not self._table.cache[row] or not self.usable:
            return b""
        return self._cache.records((row,))[0].get(key, b"")

    def examine(self, row: int, message: bytes) -> Iterator[Finding]:
        """What is wrong with the pieces of a message.

        Args:
            row: The message's.
            message: It, with CRLF line ends.
        """
        table = self._table
        uid = table.uids[row]
        yield from self._text.examine(uid, message)
        if not table.cache[row] or not self.usable:
            return
        pieces = self._cache.records((row,))[0]
        if not pieces:
            evidence = f"no record of it at octet {table.cache[row]}"
            yield Finding(
                Code.CACHE_RECORD_DAMAGED, self._mailbox, evidence, self._path, uid
            )
            return
        fresh = cacheable(message)
        for key, piece in pieces.items():
            if not piece:
                continue
            wanted = fresh.get(key)
            if wanted is None:
                wanted = made(message, key)
            if wanted is not None and piece != wanted:
                yield self._wrong(uid, key, piece, wanted)

    def _wrong(self, uid: int, key: bytes, piece: bytes, wanted: bytes) -> Finding:
        name = shown(key)
        evidence = (
            f"{name}: {len(piece)} octets, the message gives {len(wanted)} others"
        )
        code = Code.CACHE_PIECE_WRONG
        return Finding(code, self._mailbox, evidence, self._path, uid, name)

    def close(self) -> None:
        """Let go of the file."""
        self._cache.close()
        self._text.close()


def made(message: bytes, key: bytes) -> bytes | None:
    """A piece that only some clients ask for; None of a kind that is not known."""
    try:
        return fragment(message, key)
    except KeyError:
        return None


Read = Callable[[Sequence[int]], Sequence[bytes | None]]


def repair_cache(
    findings: Sequence[Finding], ledger: Ledger, cache: Cache, read: Read
) -> None:
    """Begin a file that is of no use anew, and make records that are wrong again.

    Args:
        findings: What was found in the mailbox.
        ledger: Its ledger.
        cache: Its cache.
        read: Gives messages by UID.
    """
    if Code.CACHE_UNUSABLE in codes_in(findings):
        with ledger.locked():
            cache.append((), ())
    uids = uids_of(findings, Code.CACHE_RECORD_DAMAGED, Code.CACHE_PIECE_WRONG)
    for uid in uids:
        (message,) = read((uid,))
        if message is None:
            continue
        with ledger.locked():
            if ledger.table.row(uid) is not None:
                offsets = cache.append((uid,), (cacheable(message),))
                cache.point((uid,), offsets)

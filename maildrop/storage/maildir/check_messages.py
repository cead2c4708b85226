"""Each message of a Maildir against its name, its ledger's size, and the cache.

What the message is can be known from the file alone only if it is whole; what tells is
its digest in the cache, else the sizes in its name.  Where neither says that the file
is as it was, nobody knows which of file and ledger is right, and nothing is touched.

    digest in the cache   sizes in the name     the ledger's size  found
    the file's            any                   another            ledger-size-wrong
    another               any                   any                changed
    none                  the file's            another            ledger-size-wrong
    none                  `S=` is another       any                changed
    none                  none                  another            changed

In this file:
    MessageCheck    looks at messages, one at a time
    resize          puts sizes of the ledger right
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from maildrop.durable import open_to_read
from maildrop.storage.findings import Code, Finding, uids_of
from maildrop.storage.index.check_cache import CacheCheck
from maildrop.storage.index.fragments import DIGEST, digest
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir.folder import MESSAGE_MAX, canonical
from maildrop.storage.maildir.names import sizes

#: Octets at the start of a message that are looked at for NULs.
_START = 512


class MessageCheck:
    """Messages of one mailbox.

    Args:
        mailbox: Its name.
        table: What the ledger says.
        cache: The cache.
        owner: uid that files should belong to, None if that does not matter.
    """

    def __init__(
        self, mailbox: str, table: IndexTable, cache: CacheCheck, owner: int | None
    ) -> None:
        self._mailbox = mailbox
        self._table = table
        self._cache = cache
        self._owner = owner

    def examine(self, row: int, file: str) -> Iterator[Finding]:
        """What is wrong with a message.

        Args:
            row: The message's.
            file: Where it should be; one that is not there is not looked at.
        """
        uid = self._table.uids[row]

        def found(code: Code, evidence: str) -> Finding:
            return Finding(code, self._mailbox, evidence, file, uid)

        try:
            octets, facts = _read(file)
        except FileNotFoundError:
            return
        except OSError as error:
            code = Code.MESSAGE_UNREADABLE
            if error.errno in {errno.ELOOP, errno.EINVAL, errno.EISDIR}:
                code = Code.FOREIGN_FILE
            yield found(code, error.strerror or str(error))
            return
        for code, evidence in _facts_wrong(facts, self._owner):
            yield found(code, evidence)
        if facts.st_size > MESSAGE_MAX:
            yield found(Code.MESSAGE_TOO_LARGE, f"it has {facts.st_size} octets")
            return
        if not octets[:_START].strip(b"\0"):
            yield found(
                Code.MESSAGE_EMPTY, f"{len(octets)} octets, NULs at least first"
            )
            return
        message, problems = self._measured(row, octets)
        for code, evidence in problems:
            yield found(code, evidence)
        if not any(code is Code.MESSAGE_FILE_CHANGED for code, _ in problems):
            yield from self._cache.examine(row, message)

    def size(self, row: int, file: str) -> int | None:
        """What the size of a message should be; None when that is not known."""
        try:
            octets, _ = _read(file)
        except OSError:
            return None
        message, problems = self._measured(row, octets)
        changed = any(code is Code.MESSAGE_FILE_CHANGED for code, _ in problems)
        return None if changed else len(message)

    def _measured(
        self, row: int, octets: bytes
    ) -> tuple[bytes, list[tuple[Code, str]]]:
        """The message in a file, and what is wrong with sizes."""
        table = self._table
        size = table.sizes[row]
        named, with_crlf = sizes(table.names.name(row))
        known = self._cache.piece(row, DIGEST)
        message = canonical(octets, size)
        if known and digest(message) != known:
            if digest(octets) == known:  # kept with its CRLFs
                message = octets
            else:
                evidence = "it holds something else than it did (by its digest)"
                if named not in {None, len(octets)}:
                    evidence += f": {len(octets)} octets, the name says {named}"
                return message, [(Code.MESSAGE_FILE_CHANGED, evidence)]
        if named not in {None, len(octets)} and not known:
            evidence = f"{len(octets)} octets, the name says {named}"
            return message, [(Code.MESSAGE_FILE_CHANGED, evidence)]
        problems = []
        if len(message) != size:
            evidence = f"the ledger says {size} octets, the message has {len(message)}"
            sure = known or named is not None
            code = Code.LEDGER_SIZE_WRONG if sure else Code.MESSAGE_FILE_CHANGED
            problems.append((code, evidence))
        if with_crlf not in {None, len(message)}:
            evidence = f"{len(message)} octets, the name says {with_crlf}"
            problems.append((Code.NAME_SIZE_WRONG, evidence))
        return message, problems


def _read(file: str) -> tuple[bytes, os.stat_result]:
    fd = open_to_read(file)
    with open(fd, "rb", buffering=0) as opened:
        facts = os.fstat(fd)
        return (b"" if facts.st_size > MESSAGE_MAX else opened.readall()), facts


def _facts_wrong(
    facts: os.stat_result, owner: int | None
) -> Iterator[tuple[Code, str]]:
    if owner is not None and facts.st_uid != owner:
        yield Code.OWNER_WRONG, f"it belongs to uid {facts.st_uid}, not {owner}"
    mode = stat.S_IMODE(facts.st_mode)
    if not mode & stat.S_IRUSR:
        yield Code.MESSAGE_UNREADABLE, f"its mode is {mode:03o}"
    if mode & stat.S_IWOTH:
        yield Code.WRITABLE_BY_ALL, f"its mode is {mode:03o}"


Measure = Callable[[int], int | None]


def resize(findings: Sequence[Finding], ledger: Ledger, measure: Measure) -> None:
    """Put sizes of the ledger right.

    Args:
        findings: What was found in the mailbox.
        ledger: Its ledger.
        measure: Gives the size of a row's message; None when it is gone.
    """
    wrong = uids_of(findings, Code.LEDGER_SIZE_WRONG)
    if not wrong:
        return
    with ledger.locked():
        table = ledger.table
        pairs = []
        for row in table.rows(wrong):
            size = measure(row)
            if size is not None and size != table.sizes[row]:
                pairs.append((table.uids[row], size))
        if pairs:
            batch = ledger.batch(quiet=True)
            uids, measured = zip(*pairs, strict=True)
            batch.resize(uids, measured)
            ledger.commit(batch)

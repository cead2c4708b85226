r"""Making staged messages visible: all or none, and durable.

In this file:
    publish    the second half of adding messages
    finish     what a crash interrupted is done

The steps, with the ledger locked, and what a crash after each of them leaves:

    step                                            a crash after it leaves
    1  each message written to tmp/, synced         files in tmp/ that nobody knows; the
                                                    cleaning of tmp/ removes them
    2  pieces appended to the cache                 the same, and waste in the cache
    3  tmp/ synced, if there are several            the same
    4  record of all of them appended to the        the messages have UIDs and are in
       log, log synced                              tmp/: ``finish`` does step 5
    5  each moved to new/ (cur/ if it has flags)    some in tmp/: ``finish``
    6  new/, cur/ synced                            done

Step 4 decides: from there on all messages are there.  A single message needs no step 3:
if the power cut takes it out of tmp/ it was not acknowledged, and its UID stays unused.

An error at step 5 or 6 (no space for the directory) takes back what was moved and
writes into the log that the messages are gone.
"""

import contextlib
import os
from collections.abc import Sequence

from maildrop.durable import translate, translated
from maildrop.errors import MaildropError
from maildrop.storage.index.fragments import Fragments
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import IN_NEW, Letters
from maildrop.storage.maildir.staging import Staged, tmp_path


def publish(
    folder: Folder,
    ledger: Ledger,
    fragments: Fragments,
    staged: Sequence[Staged],
    host: Host,
) -> list[int]:
    """Steps 2 to 6, with the ledger locked.

    Returns:
        The UIDs.

    Raises:
        KeywordLimit: A keyword has no room; nothing is changed.
        NoSpace, StorageFailure: Nothing is left but what is in tmp/.
    """
    table = ledger.table
    keywords = [table.keyword_bits(message.keywords, create=True) for message in staged]
    first = table.uid_next
    uids = list(range(first, first + len(staged)))
    offsets = fragments.keep(uids, [message.pieces for message in staged])
    batch = ledger.batch()
    saved = int(host.clock())
    targets = []
    letters = Letters(table.keyword_names)
    for uid, message, bits, offset in zip(uids, staged, keywords, offsets, strict=True):
        plain = not message.flags and not bits
        mark = IN_NEW if plain else 0
        batch.append(
            uid,
            message.size,
            message.date,
            message.flags | mark,
            bits,
            message.base,
            saved=saved,
            object_id=message.object_id,
            cache=offset,
        )
        end = b"" if plain else letters.end(message.flags, bits)
        targets.append((message.base + end, mark))
    # Should we stop before the files are in their place, somebody has to look.
    batch.source(b"")
    if len(staged) > 1:
        with translated(f"sync {folder.tmp}"):
            host.disk.synchronize_directory(folder.tmp)
    ledger.commit(batch)
    try:
        _move_in(folder, staged, targets, host)
    except OSError as error:
        failure = translate(error, f"deliver to {folder.path}")
        _take_back(folder, ledger, uids, targets, host)
        raise failure from error
    return uids


def _move_in(
    folder: Folder,
    staged: Sequence[Staged],
    targets: Sequence[tuple[bytes, int]],
    host: Host,
) -> None:
    disk = host.disk
    for message, (name, mark) in zip(staged, targets, strict=True):
        disk.rename(tmp_path(folder, message.base), name, target_fd=folder.fd_of(mark))
    for mark in {mark for _, mark in targets}:
        disk.synchronize_directory(folder.fd_of(mark))


def _take_back(
    folder: Folder,
    ledger: Ledger,
    uids: Sequence[int],
    targets: Sequence[tuple[bytes, int]],
    host: Host,
) -> None:
    for name, mark in targets:
        with contextlib.suppress(OSError):
            host.disk.unlink(name, dir_fd=folder.fd_of(mark))
    batch = ledger.batch()
    batch.expunge(uids)
    # The next scan finds the same, if this cannot be written.
    with contextlib.suppress(MaildropError):
        ledger.commit(batch)


def finish(folder: Folder, base: bytes, name: bytes, mark: int, host: Host) -> bool:
    """Do step 5 for a message that is in the ledger and in neither directory.

    Returns:
        Whether it was in tmp/ and is in its place now.
    """
    path = tmp_path(folder, base)
    try:
        host.disk.rename(path, name, target_fd=folder.fd_of(mark))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise translate(error, f"deliver {os.fsdecode(path)}") from error
    return True

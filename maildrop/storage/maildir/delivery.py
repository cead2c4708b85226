r"""Making staged messages visible, and durable.

In this file:
    publish      the second half of adding messages
    keywords_of  their keywords as bits
    admit        whether the quota has room for them
    places_of    where messages go
    record_of    what the log says of them
    fds_of       the directories that they go to
    finish       what a crash interrupted is done

Messages that come alone are added together with others that happen to come at the same
time; some that belong together (COPY) are there all or none.  The steps, with the
ledger locked, and what a crash after each of them leaves.  Of messages that come alone:

    step                                            a crash after it leaves
    1  each message written to tmp/, synced         files in tmp/ that nobody knows; the
                                                    cleaning of tmp/ removes them
    2  pieces appended to the cache                 the same, and waste in the cache
    3  each moved to new/ (cur/ if it has flags)    some are there, as if another
                                                    program had delivered them
    4  record appended to the log                   they are there, with UIDs
    5  log, new/, cur/ synced                       done

After 4 a power cut may leave either half: a file without a record is a new message, a
record whose file is in tmp/ makes ``finish`` do step 3, one without a file anywhere is
a UID that stays unused.  Nobody was told of the message or its UID yet.

Of messages that belong together:

    1, 2                                            as above
    3  tmp/ synced                                  the same
    4  record of all of them appended to the        the messages have UIDs and are in
       log, log synced                              tmp/: ``finish`` does step 5
    5  each moved to new/ or cur/                   some in tmp/: ``finish``
    6  new/, cur/ synced                            done

Step 4 decides: from there on all of them are there.

An error takes back what was moved; after step 4 of the second table it also writes into
the log that the messages are gone.

A message with a key (``mailbox.keyed``) goes by the second table, too, its key in the
record of step 4; and what is decided there no error takes back.
"""

import contextlib
from collections.abc import Sequence

from maildrop.durable import Sync, translate
from maildrop.errors import MaildropError, StorageFailure
from maildrop.mailbox.quota import Usage
from maildrop.mailbox.steps import Steps
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.host import Host
from maildrop.storage.index.keyed import CAME, KEY
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.names import IN_NEW, Letters, staged_name
from maildrop.storage.maildir.staging import Staged

Place = tuple[bytes, int]  # a file's name, and IN_NEW or 0


def publish(
    mailbox: Linked,
    staged: Sequence[Staged],
    keywords: Sequence[int],
    *,
    together: bool,
) -> Steps[Sequence[int]]:
    """All but step 1, with the ledger locked.

    Args:
        mailbox: Where.
        staged: The messages.
        keywords: Their keyword bits.
        together: All or none.

    Returns:
        The UIDs.

    Raises:
        NoSpace, StorageFailure: Nothing is left but what is in tmp/.
    """
    places = places_of(mailbox, staged, keywords)
    if together:
        return (yield from _record_first(mailbox, staged, keywords, places))
    return (yield from _move_first(mailbox, staged, keywords, places))


def keywords_of(mailbox: Linked, staged: Sequence[Staged]) -> list[int]:
    """The keyword bits of messages.

    Raises:
        KeywordLimit: A keyword has no room.
    """
    bits = mailbox.ledger.table.keyword_bits
    found = [bits(it.keywords, create=True) if it.keywords else 0 for it in staged]
    mailbox.ledger.keep_keywords()
    return found


def admit(mailbox: Linked, before: Usage, staged: Sequence[Staged]) -> Usage:
    """See whether the quota has room for messages that belong together.

    Args:
        mailbox: Where; its ledger is locked.
        before: What is there, with those admitted just before.
        staged: The messages.

    Returns:
        What will be there.

    Raises:
        OverQuota: It has not.
    """
    if not staged:
        return before
    sizes = [message.size for message in staged]
    return mailbox.allowance.admit(before, sizes, staged[0].counted)


def places_of(
    mailbox: Linked, staged: Sequence[Staged], keywords: Sequence[int]
) -> list[Place]:
    """Where messages go."""
    letters = Letters(mailbox.ledger.table.keyword_names)
    return [
        (message.base + letters.end(message.flags, bits), 0)
        if message.flags or bits
        else (message.base, IN_NEW)
        for message, bits in zip(staged, keywords, strict=True)
    ]


def record_of(
    mailbox: Linked, staged: Sequence[Staged], keywords: Sequence[int]
) -> tuple[range, Batch]:
    """The UIDs of messages, and the record that gives them; their pieces are kept."""
    first = mailbox.ledger.table.uid_next
    uids = range(first, first + len(staged))
    offsets = mailbox.pieces.keep(uids, [message.pieces for message in staged])
    batch = mailbox.ledger.batch()
    saved = int(mailbox.host.clock())
    for uid, message, bits, offset in zip(uids, staged, keywords, offsets, strict=True):
        batch.append(
            uid,
            message.size,
            message.date,
            message.flags if message.flags or bits else IN_NEW,
            bits,
            message.base,
            saved=saved,
            object_id=message.object_id,
            cache=offset,
        )
        if message.key:
            batch.note(KEY + message.key, CAME)
    return uids, batch


def _move_first(
    mailbox: Linked,
    staged: Sequence[Staged],
    keywords: Sequence[int],
    places: Sequence[Place],
) -> Steps[Sequence[int]]:
    folder, ledger = mailbox.folder, mailbox.ledger
    doing = f"deliver to {folder.path}"
    uids, batch = record_of(mailbox, staged, keywords)
    payload = None
    try:
        _move_in(mailbox, staged, places, doing)
        mailbox.note_source(batch)
        payload = ledger.append(batch)
        yield Sync(mailbox.host.disk, doing, (ledger.written,), fds_of(folder, places))
    except Exception:
        if payload is not None:
            ledger.take_back()
        _remove(mailbox, places)
        raise
    ledger.carry_out(payload)
    return uids


def _record_first(
    mailbox: Linked,
    staged: Sequence[Staged],
    keywords: Sequence[int],
    places: Sequence[Place],
) -> Steps[Sequence[int]]:
    folder, ledger, disk = mailbox.folder, mailbox.ledger, mailbox.host.disk
    doing = f"deliver to {folder.path}"
    uids, batch = record_of(mailbox, staged, keywords)
    yield Sync(disk, doing, (), (folder.tmp_fd,))
    # Should we stop before the files are in their place, somebody has to look.
    batch.source(b"")
    payload = ledger.append(batch)
    try:
        yield Sync(disk, doing, (ledger.written,))
    except Exception:
        ledger.take_back()
        raise
    ledger.carry_out(payload)
    try:
        _move_in(mailbox, staged, places, doing)
        yield Sync(disk, doing, (), fds_of(folder, places))
    except Exception:
        if any(message.key for message in staged):
            raise  # decided: whoever asks for the key makes it true
        _remove(mailbox, places)
        gone = ledger.batch()
        gone.expunge(uids)
        # The next scan finds the same, if this cannot be written.
        with contextlib.suppress(MaildropError):
            ledger.commit(gone)
        raise
    return uids


def fds_of(folder: Folder, places: Sequence[Place]) -> tuple[int, ...]:
    """The directories that messages go to."""
    return tuple({folder.fd_of(mark) for _, mark in places})


def _move_in(
    mailbox: Linked, staged: Sequence[Staged], places: Sequence[Place], doing: str
) -> None:
    folder, rename = mailbox.folder, mailbox.host.disk.rename
    tmp_fd = folder.tmp_fd
    try:
        for message, (name, mark) in zip(staged, places, strict=True):
            rename(staged_name(message.base), name, tmp_fd, folder.fd_of(mark))
    except OSError as error:
        raise translate(error, doing) from error


def _remove(mailbox: Linked, places: Sequence[Place]) -> None:
    for name, mark in places:
        with contextlib.suppress(OSError):
            mailbox.host.disk.unlink(name, dir_fd=mailbox.folder.fd_of(mark))


def finish(folder: Folder, base: bytes, name: bytes, mark: int, host: Host) -> bool:
    """Move a message that is in the ledger and in neither directory.

    Returns:
        Whether it was in tmp/ and is in its place now.
    """
    try:
        tmp_fd = folder.tmp_fd
    except StorageFailure:
        return False  # no tmp/, no file in it
    try:
        host.disk.rename(staged_name(base), name, tmp_fd, folder.fd_of(mark))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise translate(error, f"deliver {name!r} to {folder.path}") from error
    return True

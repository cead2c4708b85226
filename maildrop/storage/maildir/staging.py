r"""Messages on their way into a Maildir: written, synced, and visible to nobody.

In this file:
    Staged     a message in tmp/
    stage      write some
    link_in    take one from another folder by a hard link
    discard    remove what was staged

The file is written with LF line ends, so that other programs can read it.  Where that
would lose something (a CR before a CRLF, or a LF without CR), the octets are kept as
they came; the name then has no ``W``.

``delivery`` has the steps and what a crash leaves after each.
"""

import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.durable import Sync, translated
from maildrop.errors import MailboxVanished, MaildropError
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.quota import Counted
from maildrop.mailbox.steps import Steps
from maildrop.storage.index.fragments import cacheable
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import new_base, staged_name, with_place

#: Messages above this size are taken apart when first asked for, not at delivery.
PREPARE_MAX: Final = 1 << 24
#: Messages above this size are written piece by piece.
_PIECE: Final = 1 << 20
#: Files that are open at once.
_OPEN_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Staged:
    """A message in tmp/.

    Attributes:
        base: The base name it will have.
        size: Octets with CRLF line ends.
        date: INTERNALDATE, seconds since 1970 UTC.
        flags: System flags.
        keywords: Keyword names.
        pieces: What the cache is to keep of it.
        object_id: See ``IndexTable.object_ids``.
        counted: How it is held against the quota.
        key: See ``mailbox.keyed``; empty for none.
    """

    base: bytes
    size: int
    date: int
    flags: int
    keywords: Sequence[str]
    pieces: Mapping[bytes, bytes]
    object_id: int
    counted: Counted = Counted.LIMITED
    key: bytes = b""


def stage(
    folder: Folder, messages: Sequence[NewMessage], host: Host
) -> Steps[list[Staged]]:
    """Write messages to tmp/ and sync them.

    Raises:
        NoSpace, StorageFailure: Nothing is left behind.
    """
    staged: list[Staged] = []
    fds: list[int] = []
    doing = f"write to {folder.tmp}"
    try:
        for message in messages:
            staged.append(_write(folder, message, host, doing, fds))
            if len(fds) == _OPEN_MAX or len(staged) == len(messages):
                yield Sync(host.disk, doing, tuple(fds))
                _close(fds)
    except BaseException:
        _close(fds)
        discard(folder, staged, host)
        raise
    return staged


def _write(
    folder: Folder, message: NewMessage, host: Host, doing: str, fds: list[int]
) -> Staged:
    """Write one message; its file is added to ``fds``, open and not yet synced."""
    content = message.content.octets()
    size = len(message.head) + len(content)
    # In pieces, so that a large message holds no other thread up for long.
    keeps_crlf = size > _PIECE and _needs_crlf(_pieces(message.head, content))
    octets = message.head + content[:] if size <= PREPARE_MAX else b""
    stored: Iterable[bytes]
    if size <= _PIECE:
        whole, keeps_crlf = _stored(octets)
        stored = (whole,)
    elif keeps_crlf:
        stored = _pieces(message.head, content)
    else:
        stored = _with_lf(_pieces(message.head, content))
    base = new_base(host)
    facts = _write_file(folder, base, stored, message.date, host, doing, fds)
    base = with_place(base, facts.st_dev, facts.st_ino) + b",S=%d" % facts.st_size
    if not keeps_crlf:
        base += b",W=%d" % size
    return Staged(
        base=base,
        size=size,
        date=int(facts.st_mtime) if message.date is None else message.date,
        flags=message.flags,
        keywords=message.keywords,
        pieces=cacheable(octets) if size <= PREPARE_MAX else {},
        object_id=0,
        counted=message.counted,
        key=message.key,
    )


def _write_file(
    folder: Folder,
    name: bytes,
    octets: Iterable[bytes],
    date: int | None,
    host: Host,
    doing: str,
    fds: list[int],
) -> os.stat_result:
    disk = host.disk
    tmp_fd = folder.tmp_fd
    with translated(doing):
        try:
            fd = disk.create(name, dir_fd=tmp_fd)
        except FileNotFoundError:
            raise MailboxVanished(f"{folder.path} is gone") from None
        fds.append(fd)
        try:
            for piece in octets:
                disk.write(fd, piece)
            if date is not None:
                disk.set_times(fd, date)
            return os.fstat(fd)
        except OSError:
            with contextlib.suppress(OSError):
                disk.unlink(name, dir_fd=tmp_fd)
            raise


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def _stored(octets: bytes) -> tuple[bytes, bool]:
    """What to write for a message, and whether it is as it came."""
    # Few messages have a CR anywhere but in CRLF.  To look for single octets is quick,
    # and what gives the message back has lost nothing.
    stored = octets.replace(b"\r", b"")
    if stored.replace(b"\n", b"\r\n") == octets:
        return stored, False
    lines = octets.count(b"\n")
    stored = octets.replace(b"\r\n", b"\n")
    if len(octets) - len(stored) != lines or b"\r\n" in stored:
        return octets, True
    return stored, False


def _pieces(head: bytes, content: bytes | mmap.mmap) -> Iterator[bytes]:
    yield head
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]


def _needs_crlf(pieces: Iterable[bytes]) -> bool:
    """``_stored`` of a large message: whether it must be written as it came."""
    before = b""
    for piece in pieces:
        seen = before + piece
        ends = seen.count(b"\r\n") - before.count(b"\r\n")
        if ends != piece.count(b"\n") or b"\r\r\n" in seen:
            return True
        before = seen[-2:]
    return False


def _with_lf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        octets = held + piece
        held = octets[-1:] if octets.endswith(b"\r") else b""
        yield octets[: len(octets) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


def link_in(
    source: Folder,
    name: bytes,
    in_new: int,
    tmp_fd: int,
    copy: Staged,
    host: Host,
) -> None:
    """Give a message of another folder a second name in tmp/.

    Args:
        source: Where it is.
        name: The file.
        in_new: Whether it is in new/.
        tmp_fd: tmp/ of where it is to go.
        copy: What it will be there.
        host: The disk.

    Raises:
        FileNotFoundError: It is gone.
        OSError: The folders are on different file systems (EXDEV), or linking is not
            possible for another reason.
    """
    host.disk.link(name, staged_name(copy.base), source.fd_of(in_new), tmp_fd)


def discard(folder: Folder, staged: Sequence[Staged], host: Host) -> None:
    """Remove what is still in tmp/."""
    for message in staged:
        with contextlib.suppress(OSError, MaildropError):
            host.disk.unlink(staged_name(message.base), dir_fd=folder.tmp_fd)

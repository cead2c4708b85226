r"""The drop directory: where any local user puts mail for the queue.

In this file:
    Dropped      a message as it is handed in
    Waits        its file
    Unfit        what lies there is no message that can be taken
    put          hands one in: ``maildrop sendmail``
    prepare      makes the directory: the server
    parse        what a file says
    read         the same of an open file, told from what hostile users leave there

``adopting`` has the server's side.  It works whether the server runs or not, and nobody
needs more rights than to write there.

The directory has mode 3733 and belongs to the server: everybody may make files in it,
nobody may list it, or touch a file of somebody else (sticky), and what is made there
has the server's group (the directory's set-group-id bit), which may read it.

States of a message, and what a crash leaves:

    step                           state after it, and after a crash
    1  written to NAME.new         nobody was told anything; removed when it is old
    2  synced                      the same
    3  renamed to NAME.mail        either, until
    4  synced again                waits: the program that sends has ended with 0
    5  in the queue, synced        ``adopting``: nothing of it is tried yet
    6  unlinked, directory synced  in the queue alone

Who writes may mostly not read the directory, hence not sync it; step 4 then syncs the
file, whose change of name is on disk with it on all file systems with a journal.

File format:

    file    = "maildrop-drop 1 " crc SP length SP size LF head message
    crc     = 8HEXDIG         ; CRC-32 of head and message
    length  = 1*DIGIT         ; octets of the head
    size    = 1*DIGIT         ; octets of the message
    head    = JSON object     ; the fields of ``Dropped``, in ASCII

Errors: ``NoSpace``, ``AccessDenied`` and ``StorageFailure`` of the disk; ``Unfit``.

Limits: octets of head and message, recipients.

Security: a file is believed only after its descriptor was looked at (``read``): a
regular file with one name, which nobody but its owner may write, no larger than
allowed.  What is read is checked as a copy, so that its owner changes nothing
afterwards.  Who the owner is, the kernel says; the file is not asked.
"""

import json
import os
import stat
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

from maildrop.durable import Disk, translated
from maildrop.errors import LimitExceeded, PermanentError, StorageFailure

#: Its own: set-group-id and sticky; others may write and pass, not list.
MODE: Final = 0o3733
#: The owner writes, the server's group reads.
FILE_MODE: Final = 0o640
MAGIC: Final = b"maildrop-drop 1 "
#: What a name ends in while the message is written, and when it is complete.
NEW: Final = ".new"
COMPLETE: Final = ".mail"
#: Octets of the first line, and of the head: what JSON reads while nothing else runs.
LINE_MAX: Final = 64
HEAD_MAX: Final = 1 << 20
#: Recipients of one message.
RECIPIENTS_MAX: Final = 20_000
_NAME_OCTETS: Final = 16


class Unfit(PermanentError):
    """What lies there is no message that can be taken; the text says why."""


class Dropped(NamedTuple):
    """A message as it is handed in.

    Attributes:
        recipients: Addresses; without a domain for users of this host.
        sender: The reverse path, empty for ``<>``; None for the owner's address.
        notify: RFC 3461 section 4.1, for every recipient; empty if not said.
        ret: FULL or HDRS (RFC 3461 section 4.3), empty if not said.
        envelope_id: RFC 3461 section 4.4, empty if not said.
        protocol: How it came: ``local``, or ``SMTP`` and its kin from a dialogue.
    """

    recipients: tuple[str, ...]
    sender: str | None = None
    notify: tuple[str, ...] = ()
    ret: str = ""
    envelope_id: str = ""
    protocol: str = "local"


class Waits(NamedTuple):
    """The file of a message that waits to be taken.

    Attributes:
        name: In the drop directory.
        first: All that stands before the message.
        status: What the kernel knows of it.
    """

    name: str
    first: bytes
    status: os.stat_result


#: What notify, ret and protocol may be.
_NOTIFY: Final = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})
_RET: Final = frozenset({"", "FULL", "HDRS"})
_PROTOCOLS: Final = frozenset({"local", "SMTP", "ESMTP", "UTF8SMTP"})


def prepare(directory: str, disk: Disk) -> None:
    """Make the directory, or give it its mode again; with the server's rights.

    The two above it, of the queue and of the server, are made so that everybody may
    pass, whatever the umask was.
    """
    with translated(f"make {directory}"):
        disk.make_directories(directory, 0o700)
        _set_mode(directory, disk, lambda _: MODE)
        above = os.path.dirname(directory)
        for each in (above, os.path.dirname(above)):
            _set_mode(each, disk, lambda mode: mode | 0o111)


def _set_mode(directory: str, disk: Disk, wanted: Callable[[int], int]) -> None:
    """Give a directory the mode that is wanted for the one it has."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if mode != wanted(mode):
            disk.set_mode(fd, wanted(mode))
    finally:
        os.close(fd)


def put(
    directory: str,
    dropped: Dropped,
    message: bytes,
    disk: Disk,
    random: Callable[[int], bytes],
) -> Waits:
    """Hand in a message; it waits there, on disk, when this returns.

    An error means that it does not wait there.

    Args:
        directory: The drop directory.
        dropped: The envelope.
        message: Header and body, CRLF line ends.
        disk: The calls that change it.
        random: Gives unpredictable octets.

    Raises:
        LimitExceeded: The envelope is too large.
    """
    first = _first(dropped, message)
    name = random(_NAME_OCTETS).hex()
    path = f"{directory}/{name}"
    written, complete = path + NEW, path + COMPLETE
    with translated(f"write {path}"):
        try:
            fd = disk.create(written, FILE_MODE)
        except FileNotFoundError as error:
            raise StorageFailure(
                f"{directory} is not there: maildrop was never started, or keeps its "
                "state elsewhere"
            ) from error
        try:
            disk.set_mode(fd, FILE_MODE)  # whatever the umask
            disk.write(fd, first)
            disk.write(fd, message)
            disk.synchronize(fd)
            disk.rename(written, complete)
            _synchronize_name(directory, fd, disk)
            return Waits(name + COMPLETE, first, os.fstat(fd))
        except BaseException:
            _remove(disk, written)
            _remove(disk, complete)
            raise
        finally:
            os.close(fd)


def _synchronize_name(directory: str, fd: int, disk: Disk) -> None:
    try:
        disk.synchronize_directory(directory)
    except PermissionError:  # nobody but its owner may read it
        disk.synchronize_directory(fd)


def _remove(disk: Disk, path: str) -> None:
    try:
        disk.unlink(path)
    except OSError:
        return  # there is none of this name, or the server will remove it


def _first(dropped: Dropped, message: bytes) -> bytes:
    """All that stands before the message."""
    head = json.dumps(dropped._asdict(), separators=(",", ":")).encode()
    if len(head) > HEAD_MAX or len(dropped.recipients) > RECIPIENTS_MAX:
        raise LimitExceeded(
            f"{len(dropped.recipients)} recipients, {len(head)} octets: at most "
            f"{RECIPIENTS_MAX} and {HEAD_MAX} can be handed in at once"
        )
    crc = zlib.crc32(message, zlib.crc32(head))
    return b"%b%08x %d %d\n%b" % (MAGIC, crc, len(head), len(message), head)


def parse(octets: bytes) -> tuple[Dropped, int]:
    """What a file says: the envelope, and where the message begins.

    Raises:
        Unfit: It says nothing that can be believed.
    """
    line, newline, _ = octets[:LINE_MAX].partition(b"\n")
    words = line.removeprefix(MAGIC).split(b" ")
    if not newline or not line.startswith(MAGIC) or len(words) != 3:
        raise Unfit("not a file of this version of the drop directory")
    if not all(word.isalnum() and word.isascii() for word in words):
        raise Unfit("the first line is damaged")
    try:
        crc, length, size = int(words[0], 16), int(words[1]), int(words[2])
    except ValueError as error:
        raise Unfit("the first line is damaged") from error
    start = len(line) + 1
    if length > HEAD_MAX or len(octets) != start + length + size:
        raise Unfit("it is not as long as it says")
    if crc != zlib.crc32(memoryview(octets)[start:]):
        raise Unfit("it does not fit its sum")
    return _dropped(octets[start : start + length]), start + length


def _dropped(head: bytes) -> Dropped:
    try:
        value = json.loads(head)
        dropped = Dropped(
            recipients=tuple(value["recipients"]),
            sender=value["sender"],
            notify=tuple(value["notify"]),
            ret=value["ret"],
            envelope_id=value["envelope_id"],
            protocol=value["protocol"],
        )
        _check(dropped)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unfit(f"an envelope that cannot be: {error}") from error
    return dropped


def _check(dropped: Dropped) -> None:
    """See that types and values are right; addresses are looked at by who routes.

    Raises:
        ValueError: They are not.
    """
    texts = [*dropped.recipients, dropped.envelope_id, dropped.protocol]
    if dropped.sender is not None:
        texts.append(dropped.sender)
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("something is no text")
    if not 0 < len(dropped.recipients) <= RECIPIENTS_MAX:
        raise ValueError(f"{len(dropped.recipients)} recipients")
    if not _NOTIFY.issuperset(dropped.notify) or dropped.ret not in _RET:
        raise ValueError("reports of no known kind")
    if len(dropped.envelope_id) > 100 or dropped.protocol not in _PROTOCOLS:
        raise ValueError("an envelope id, or a protocol")


def read(fd: int, most: int) -> tuple[bytes, os.stat_result]:
    """All of a file that somebody put there, and what the kernel knows of it.

    Args:
        fd: Opened without following links and without waiting.
        most: Octets of a message.

    Raises:
        Unfit: It is no file that may be taken.
        OSError: It cannot be read.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("it is no regular file")
    if status.st_nlink != 1:
        raise Unfit(f"it has {status.st_nlink} names")
    if status.st_mode & 0o7022:
        raise Unfit(f"it has mode {stat.S_IMODE(status.st_mode):o}")
    if status.st_size > most + HEAD_MAX + LINE_MAX:
        raise Unfit(f"it has {status.st_size} octets")
    pieces, have = [], 0
    while have < status.st_size:
        piece = os.pread(fd, min(1 << 20, status.st_size - have), have)
        if not piece:
            raise Unfit("it was cut while it was read")
        pieces.append(piece)
        have += len(piece)
    return b"".join(pieces), status

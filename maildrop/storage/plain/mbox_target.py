"""mbox files that are written for other programs.

In this file:
    MboxTarget    see ``mailbox.outside.Target``

mboxrd with Status, X-Status and X-Keywords, as ``storage.mbox.format`` writes it: mutt,
Dovecot and an import read back the same octets, flags and dates.  One mailbox is one
file; all mailboxes of a user are a directory of them:

    TARGET/INBOX.mbox  TARGET/work.mbox  TARGET/work/2024.mbox

States of adding messages: appended -> synced -> how long the file is now is noted.  A
crash before the last leaves messages, or a part of one, behind the noted end: they are
cut off by the next export, and written again.
"""

import os
import re
from collections.abc import Sequence
from typing import Final

from maildrop.durable import Disk, translate, translated
from maildrop.imap.wire.mailbox_name import encode
from maildrop.mailbox.outside import Outside, TargetInUse
from maildrop.storage.mbox.compose import asctime
from maildrop.storage.mbox.format import from_line, status_fields, stored_form

_RETURN_PATH: Final = re.compile(rb"(?:\A|\n)[Rr]eturn-[Pp]ath: *<([^>\r\n]*)>")
#: A dot that begins a level would hide the file.
_DOT: Final = "&AC4-"


def level(name: str) -> str:
    """The file name of one level of a mailbox name."""
    coded = encode(name).decode("ascii")
    return _DOT + coded[1:] if coded.startswith(".") else coded


class MboxTarget:
    """mbox files.

    Args:
        path: A directory for all mailboxes, or the file of one.
        disk: Writes and syncs.
        single: It is the file of one mailbox.
        force: Replace files that no export wrote.
    """

    def __init__(self, path: str, disk: Disk, *, single: bool, force: bool) -> None:
        self._path = os.path.realpath(path)
        self._disk = disk
        self._single = single
        self._force = force
        self.identity = f"mbox:{self._path}"

    def _file(self, name: str) -> str:
        if self._single:
            return self._path
        return os.path.join(self._path, *map(level, name.split("/"))) + ".mbox"

    def check(self, name: str, so_far: str | None) -> None:
        """See whether the file of a mailbox may be written."""
        path = self._file(name)
        if self._force:
            return
        try:
            size = os.lstat(path).st_size
        except FileNotFoundError:
            size = None
        except OSError as error:
            raise translate(error, f"look at {path}") from error
        if so_far is None and size is not None:
            raise TargetInUse(
                f"{path} exists, and no export of this mailbox wrote it: choose "
                "another place, or replace it with --force"
            )
        if so_far is not None and size != int(so_far):
            raise TargetInUse(
                f"{path} was changed since the last export: choose another place, or "
                "replace it with --force"
            )

    def open(
        self, name: str, so_far: str | None, keywords: Sequence[str]
    ) -> "_MboxFile":
        """The file of a mailbox."""
        del keywords  # each message has its own
        path, disk = self._file(name), self._disk
        size = int(so_far or 0)
        with translated(f"write {path}"):
            disk.make_directories(os.path.dirname(path))
            try:
                fd = disk.create(path)
            except FileExistsError:
                fd = disk.update(path)
            disk.synchronize_directory(os.path.dirname(path))
            if os.fstat(fd).st_size < size:
                os.close(fd)
                raise TargetInUse(f"{path} is shorter than the last export left it")
            disk.truncate(fd, size)
            os.lseek(fd, size, os.SEEK_SET)
        return _MboxFile(path, fd, disk)

    def subscribe(self, names: Sequence[str]) -> None:
        """Mbox files have no place for subscriptions."""


class _MboxFile:
    """One mbox file, open where the next message goes."""

    def __init__(self, path: str, fd: int, disk: Disk) -> None:
        self._path = path
        self._fd = fd
        self._disk = disk

    def add(self, messages: Sequence[Outside]) -> str:
        """Append messages."""
        with translated(f"write {self._path}"):
            for message in messages:
                self._disk.write(self._fd, _composed(message))
            self._disk.synchronize(self._fd)
        return str(os.fstat(self._fd).st_size)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _composed(message: Outside) -> bytes:
    octets = bytes(message.content.octets())
    header_end = octets.find(b"\r\n\r\n") + 2
    sender = _RETURN_PATH.search(octets, 0, header_end or len(octets))
    fields = status_fields(
        message.flags,
        message.keywords,
        old=True,
        unterminated=not octets.endswith(b"\r\n"),
    )
    line = from_line(sender[1] if sender else b"", asctime(message.date or 0))
    return line + stored_form(octets, fields) + b"\n"

"""A Maildir that is written for other programs.

In this file:
    MaildirTarget    see ``mailbox.outside.Target``

A Maildir with Maildir++ folders; flags and the first 26 keywords as letters, their
names in ``dovecot-keywords``, INTERNALDATE as the time of the file, subscriptions as
Dovecot has them.  The name of a file follows from UIDVALIDITY and UID, and sorts so:

    name = uidvalidity ".M" uid "P" digest-of-user "." "export" ",S=" octets [",W=" ...]

States of adding messages: each written to tmp/, synced -> each linked into cur/ -> cur/
synced -> noted.  A crash before the last leaves files of the same names, which are
found when they are written again: no message is there twice.
"""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import Final

from maildrop.durable import Disk, translated
from maildrop.mailbox.outside import Outside, TargetInUse
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.layout import directory_of
from maildrop.storage.maildir.names import FORWARDED, Letters
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.plain.maildir import with_lf

_PARTS: Final = ("tmp", "new", "cur")
_LETTERS: Final = 26


class MaildirTarget:
    """A Maildir.

    Args:
        path: Where.
        host: Writes and syncs.
        user: Whose mail it is.
        single: Only one mailbox is written, and it is the Maildir itself.
        force: Add to a Maildir that no export wrote.
    """

    def __init__(
        self, path: str, host: Host, user: str, *, single: bool, force: bool
    ) -> None:
        self._path = os.path.realpath(path)
        self._host = host
        self._single = single
        self._force = force
        self._user = hashlib.blake2b(user.encode(), digest_size=6).hexdigest()
        self.identity = f"maildir:{self._path}"

    def _directory(self, name: str) -> str:
        directory = "" if self._single else directory_of(name)
        return f"{self._path}/{directory}" if directory else self._path

    def check(self, name: str, so_far: str | None) -> None:
        """See whether the directory of a mailbox may be written."""
        path = self._directory(name)
        taken = any(os.path.lexists(f"{path}/{part}") for part in _PARTS)
        if so_far is None and not self._force and taken:
            raise TargetInUse(
                f"{path} exists, and no export of this mailbox wrote it: choose another"
                " place, or add to it with --force"
            )

    def open(
        self, name: str, so_far: str | None, keywords: Sequence[str]
    ) -> "_MaildirFolder":
        """The directory of a mailbox."""
        del so_far  # files that are there are known by their names
        path = self._directory(name)
        disk = self._host.disk
        with translated(f"write {path}"):
            for part in _PARTS:
                disk.make_directories(f"{path}/{part}")
            if path != self._path:
                with contextlib.suppress(FileExistsError):
                    os.close(disk.create(f"{path}/maildirfolder"))
            named = [word for word in keywords if word != FORWARDED][:_LETTERS]
            if named:
                lines = [f"{n} {word}\n" for n, word in enumerate(named)]
                octets = "".join(lines).encode("ascii")
                disk.replace_file(f"{path}/dovecot-keywords", octets)
            disk.synchronize_directory(path)
        return _MaildirFolder(path, disk, [*named, FORWARDED], self._user)

    def subscribe(self, names: Sequence[str]) -> None:
        """Write the subscriptions."""
        subscriptions = Subscriptions(self._path, self._host)
        for name in names:
            subscriptions.add(name)
        with contextlib.suppress(OSError):
            self._host.disk.unlink(f"{self._path}/maildrop.subscriptions.lock")


class _MaildirFolder:
    """One folder of it."""

    def __init__(
        self, path: str, disk: Disk, keywords: Sequence[str], user: str
    ) -> None:
        self._path = path
        self._disk = disk
        self._keywords = list(keywords)
        self._letters = Letters(self._keywords)
        self._user = user
        with translated(f"list {path}"):
            names = [*os.listdir(f"{path}/cur"), *os.listdir(f"{path}/new")]
        self._there = {name.partition(":")[0] for name in names}

    def add(self, messages: Sequence[Outside]) -> str:
        """Write messages."""
        with translated(f"write {self._path}"):
            for message in messages:
                self._write(message)
            self._disk.synchronize_directory(f"{self._path}/cur")
        return "written"

    def _write(self, message: Outside) -> None:
        octets = bytes(message.content.octets())
        kept = with_lf(octets)
        base = message.key.decode("ascii") + f"P{self._user}.export,S={len(kept)}"
        if kept is not octets:
            base += f",W={len(octets)}"
        if base in self._there:
            return
        bits = sum(
            1 << n for n, word in enumerate(self._keywords) if word in message.keywords
        )
        name = base + self._letters.end(message.flags, bits).decode("ascii")
        temporary = os.path.join(self._path, "tmp", base)
        final = os.path.join(self._path, "cur", name)
        disk = self._disk
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(temporary)
        fd = disk.create(temporary)
        try:
            disk.write(fd, kept)
            if message.date is not None:
                disk.set_times(fd, message.date)
            disk.synchronize(fd)
        finally:
            os.close(fd)
        with contextlib.suppress(FileExistsError):
            disk.link(temporary, final)
        disk.unlink(temporary)

    def close(self) -> None:
        """Nothing is open."""

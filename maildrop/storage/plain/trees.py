"""Files and directories full of mail: which mailboxes they are.

In this file:
    Tree    see ``mailbox.outside.Source``

What is given may be an mbox file, a Maildir with Maildir++ folders, or a directory in
which such things lie, at any depth:

    work.mbox, work                 mailbox "work"
    work.sbd/2024                   mailbox "work/2024" (Thunderbird's way)
    Maildir/.work.2024/             mailbox "work/2024"
    Mail/work/2024/cur/...          mailbox "work/2024"

A file or Maildir that was named itself is INBOX if it is called so, or ``mbox`` or
``Maildir`` or after the user; else it has its own name.

Security: symbolic links are not followed below what was named; names that no mailbox
may have are passed over, and told.

Limits: ``DEPTH_MAX`` levels.
"""

import os
from collections.abc import Iterator
from typing import Final

from maildrop.durable import translate
from maildrop.errors import (
    MailboxNameInvalid,
    MaildropError,
    ProtocolSyntaxError,
    StorageFailure,
)
from maildrop.imap.wire.mailbox_name import level as read_level
from maildrop.mailbox.names import check
from maildrop.mailbox.outside import SourceMailbox
from maildrop.storage.index.host import Host
from maildrop.storage.maildir.layout import name_of
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.plain.maildir import MaildirSource, is_maildir
from maildrop.storage.plain.mbox import MboxSource, is_mbox

DEPTH_MAX: Final = 32
_INBOXES: Final = frozenset({"inbox", "mbox", "maildir", "mail"})
_PARTS: Final = frozenset({"cur", "new", "tmp"})
_COURIER: Final = "courierimapsubscribed"
_OCTETS_MAX: Final = 1 << 22
#: A dot that begins a name, as an export writes it.
_DOT: Final = "&AC4-"


class Tree:
    """An mbox file, a Maildir, or a directory of such.

    Args:
        path: What was named.
        host: Waits for locks.
        user: Whose mail it is to be: a file of that name is INBOX.
        renamed: A name was given for what is named: a file is INBOX.
    """

    def __init__(
        self, path: str, host: Host, user: str, *, renamed: bool = False
    ) -> None:
        self._path = os.path.realpath(path)
        self._host = host
        self._user = user
        self._renamed = renamed
        self.identity = f"file:{self._path}"
        self.whole = False
        self.passed_over: list[str] = []

    def close(self) -> None:
        """Nothing is open."""

    def _own_name(self) -> str:
        """The mailbox that what was named is itself."""
        if self._renamed:
            return "INBOX"
        name = os.path.basename(self._path).removesuffix(".mbox")
        user = self._user.partition("@")[0]
        if name.lower() in _INBOXES or name in {self._user, user}:
            return "INBOX"
        return _level(name) or "INBOX"

    def mailboxes(self) -> list[SourceMailbox]:
        """All of them, INBOX first.

        Raises:
            StorageFailure: There is none.
        """
        if os.path.isdir(self._path):
            found = list(self._directory(self._path, "", 0))
        elif os.path.isfile(self._path) and is_mbox(self._path):
            found = [MboxSource(self._path, self._own_name(), self._host)]
        else:
            found = []
        if not found:
            raise StorageFailure(f"{self._path} holds no mbox and no Maildir")
        return sorted(found, key=lambda box: (box.name != "INBOX", box.name))

    def _directory(self, path: str, name: str, depth: int) -> Iterator[SourceMailbox]:
        here = is_maildir(path)
        if here:
            yield MaildirSource(path, name or "INBOX")
        try:
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise translate(error, f"list {path}") from error
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._inner(entry, name, depth, in_maildir=here)
            elif not here and entry.is_file(follow_symlinks=False):
                yield from self._file(entry, name)

    def _inner(
        self, entry: "os.DirEntry[str]", name: str, depth: int, *, in_maildir: bool
    ) -> Iterator[SourceMailbox]:
        if in_maildir and entry.name in _PARTS:
            return
        if in_maildir and entry.name.startswith("."):
            inner = name_of(entry.name)
            if inner is not None and is_maildir(entry.path):
                yield MaildirSource(entry.path, _joined(name, inner))
            elif is_maildir(entry.path):
                self.passed_over.append(entry.path)
            return
        hidden = entry.name.startswith(".")
        level = None if hidden else _level(entry.name.removesuffix(".sbd"))
        if level is not None and depth < DEPTH_MAX:
            yield from self._directory(entry.path, _joined(name, level), depth + 1)

    def _file(self, entry: "os.DirEntry[str]", name: str) -> Iterator[SourceMailbox]:
        if entry.name.startswith(".") or entry.name.endswith((".lock", ".msf")):
            return
        if not is_mbox(entry.path):
            return
        level = _level(entry.name.removesuffix(".mbox"))
        if level is None:
            self.passed_over.append(entry.path)
        else:
            yield MboxSource(entry.path, _joined(name, level), self._host)

    # -- subscriptions

    def subscriptions(self) -> list[str] | None:
        """Of a Maildir: Dovecot's, Courier's or our file; else None."""
        if not is_maildir(self._path):
            return None
        try:
            if os.path.exists(f"{self._path}/subscriptions"):
                return Subscriptions(self._path, self._host).names()
        except MaildropError:
            return None
        return self._courier()

    def _courier(self) -> list[str] | None:
        """Lines ``INBOX`` or ``INBOX.work.2024``."""
        try:
            with open(f"{self._path}/{_COURIER}", "rb") as file:
                lines = file.read(_OCTETS_MAX).splitlines()
        except OSError:
            return None
        names = [line.decode("ascii", "replace") for line in lines if line]
        found = [
            "INBOX" if name == "INBOX" else name_of(name.removeprefix("INBOX"))
            for name in names
        ]
        return sorted(name for name in found if name)


def _joined(name: str, level: str) -> str:
    if not name and level.upper() == "INBOX":
        return "INBOX"
    return f"{name}/{level}" if name else level


def _level(file_name: str) -> str | None:
    """One level of a name; None for a file name that cannot be one."""
    hidden = file_name.startswith(_DOT)
    try:
        level = read_level(os.fsencode(file_name.removeprefix(_DOT)))
        level = f".{level}" if hidden else level
    except ProtocolSyntaxError:
        level = file_name
    level = level.replace("/", "_")
    try:
        check(level)
    except MailboxNameInvalid:
        return None
    return level

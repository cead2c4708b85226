"""What belongs to no single mailbox of an account with Maildirs.

In this file:
    folders        the mailboxes there are, whole or not
    AccountPart    folders nobody sees, what a crash left, lists, the last UIDVALIDITY
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import open_to_read, translated
from maildrop.errors import MailboxNameInvalid
from maildrop.storage.check_lists import (
    SUBSCRIPTION_CODES,
    examine_special_use,
    examine_subscriptions,
    is_special_use,
    last_uid_validity,
    put_uid_validity,
)
from maildrop.storage.check_quota import examine_quota, forget_quota
from maildrop.storage.findings import Code, Finding, Told, codes_in, shown
from maildrop.storage.index.check_control import (
    FORGOTTEN,
    control_file,
    uid_validity_of,
)
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import is_free
from maildrop.storage.index.opening import LOG
from maildrop.storage.index.uid_validity import next_uid_validity
from maildrop.storage.maildir.layout import directory_of, name_of
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.name_lists import NameList

#: What a directory holds that is, or was, a Maildir.
_SIGNS: Final = ("cur", "new", "tmp", "maildirfolder", "maildrop.ledger", LOG)
_LEFT_OVER: Final = re.compile(r"maildrop\.(?:creating|deleted)\.")


def folders(root: str) -> Iterator[tuple[str, str]]:
    """Name and path of each mailbox, INBOX first."""
    yield "INBOX", root
    for entry in _directories(root):
        name = name_of(entry.name)
        if name is not None and _is_maildir(entry.path):
            yield name, entry.path


def _directories(root: str) -> list["os.DirEntry[str]"]:
    """Directories whose name begins with a dot, by name."""
    try:
        with os.scandir(root) as listed:
            dotted = [entry for entry in listed if entry.name.startswith(".")]
    except OSError:
        return []
    found = [entry for entry in dotted if entry.is_dir(follow_symlinks=False)]
    return sorted(found, key=lambda entry: entry.name)


def _is_maildir(path: str) -> bool:
    """Whether something shows that a directory is a mailbox, whole or not."""
    return any(os.path.lexists(f"{path}/{sign}") for sign in _SIGNS)


def proposed_name(directory: str) -> str:
    """A directory name for a folder whose own says nothing; empty without one."""
    levels = [level for level in directory.split(".") if level]
    try:
        return directory_of("/".join(levels))
    except MailboxNameInvalid:
        return ""


class AccountPart:
    """What belongs to no single mailbox.

    Args:
        path: The account's Maildir.
        host: Disk, time, the longest wait for a lock.
        owner: uid that everything should belong to, None if that does not matter.
        open_store: Opens the store, for repairs.
    """

    mailbox = ""

    def __init__(
        self,
        path: str,
        host: Host,
        owner: int | None,
        open_store: Callable[[], MaildirStore],
    ) -> None:
        self._path = path
        self._host = host
        self._owner = owner
        self._open_store = open_store
        self._subscriptions = Subscriptions(path, host)
        self._special = NameList(f"{path}/maildrop.special-use", host)
        self._uid_validity = f"{path}/maildrop.uidvalidity"

    def next_uid_validity(self, above: int) -> int:
        """A UIDVALIDITY that no mailbox of the account has had."""
        return next_uid_validity(self._uid_validity, self._host, above)

    def count(self) -> int:
        """No messages."""
        return 0

    def check(self, told: Told) -> list[Finding]:
        """Look at everything."""
        del told
        names = {name for name, _ in folders(self._path)}
        lists = self._path + "/subscriptions"
        return [
            *self._folders(),
            *self._left_over(),
            *self._last_uid_validity(),
            *examine_quota(self._path),
            *control_file(lists, "", self._owner),
            *examine_subscriptions(self._subscriptions.lines, lists, names),
            *examine_special_use(
                self._special.lines, f"{self._path}/maildrop.special-use", names
            ),
        ]

    # -- folders

    def _folders(self) -> Iterator[Finding]:
        """Folders that no client sees."""
        try:
            with os.scandir(self._path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            evidence = error.strerror or str(error)
            yield Finding(Code.DIRECTORY_UNUSABLE, "", evidence, self._path)
            return
        for entry in entries:
            if not entry.name.startswith("."):
                continue
            name = name_of(entry.name)
            if entry.is_symlink():
                if os.path.isdir(f"{entry.path}/cur"):
                    evidence = f"it leads to {shown(os.path.realpath(entry.path))}"
                    yield self._folder(Code.FOLDER_IS_LINK, entry, evidence)
            elif not entry.is_dir() or not _is_maildir(entry.path):
                continue
            elif (level := entry.name.split(".")[1]).upper() == "INBOX" and (
                level != "INBOX" or name is None
            ):
                evidence = "INBOX, however it is written, is another mailbox"
                yield self._folder(Code.FOLDER_HIDDEN, entry, evidence)
            elif name is None:
                better = proposed_name(entry.name)
                evidence = f"{shown(entry.name)} would do as {better}"
                if not better or os.path.lexists(f"{self._path}/{better}"):
                    evidence = f"nothing can be called {shown(entry.name)}"
                yield self._folder(Code.FOLDER_NAME_INVALID, entry, evidence)

    def _folder(self, code: Code, entry: "os.DirEntry[str]", evidence: str) -> Finding:
        return Finding(code, "", evidence, entry.path, what=shown(entry.name))

    def _left_over(self) -> Iterator[Finding]:
        """What a crash left of making, removing and renaming mailboxes."""
        with contextlib.suppress(OSError), os.scandir(self._path) as listed:
            for entry in listed:
                if _LEFT_OVER.match(entry.name):
                    age = (
                        self._host.clock() - entry.stat(follow_symlinks=False).st_mtime
                    )
                    if age > FORGOTTEN:
                        evidence = f"it is {age / 3600:.0f} hours old"
                        yield self._folder(Code.DIRECTORY_LEFT_OVER, entry, evidence)
        journal = f"{self._path}/maildrop.renaming"
        if os.path.lexists(journal) and self._nobody_changes():
            evidence = "there is a note of it, and nobody holds the lock"
            yield Finding(Code.RENAME_UNFINISHED, "", evidence, journal)

    def _nobody_changes(self) -> bool:
        """Whether nobody makes, removes or renames mailboxes just now."""
        try:
            fd = open_to_read(f"{self._path}/maildrop.lock")
        except OSError:
            return True
        try:
            return is_free(fd)
        finally:
            os.close(fd)

    # -- UIDVALIDITY

    def _last_uid_validity(self) -> Iterator[Finding]:
        highest, mailbox = self._highest()
        last = last_uid_validity(self._uid_validity)
        if last is None or last < highest:
            evidence = f"{mailbox} has {highest}, the file says {last or 'nothing'}"
            yield Finding(
                Code.UID_VALIDITY_FILE_WRONG, "", evidence, self._uid_validity
            )

    def _highest(self) -> tuple[int, str]:
        """The highest UIDVALIDITY that a mailbox has, and which."""
        return max(
            ((uid_validity_of(path), name) for name, path in folders(self._path)),
            default=(0, ""),
        )

    # -- repairing

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is derived."""
        codes = codes_in(findings)
        if codes & {Code.DIRECTORY_LEFT_OVER, Code.RENAME_UNFINISHED}:
            store = self._open_store()
            store.entries()
            store.close()
        for finding in findings:
            if finding.code is Code.DIRECTORY_LEFT_OVER:
                with translated(f"remove {finding.path}"):
                    self._host.disk.remove_tree(finding.path)
        if Code.UID_VALIDITY_FILE_WRONG in codes:
            put_uid_validity(self._uid_validity, self._highest()[0], self._host)
        if Code.QUOTA_WRONG in codes:
            forget_quota(self._path, self._host.disk)
        if codes & SUBSCRIPTION_CODES:
            self._subscriptions.remove_doubles()
        if Code.SPECIAL_USE_WRONG in codes:
            self._special.keep(is_special_use)

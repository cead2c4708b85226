"""What belongs to no single mailbox of an account with mbox files.

In this file:
    Account        where everything of an account is
    mailboxes      the mailboxes there are
    AccountPart    mailboxes nobody sees, control files of none, lists, UIDVALIDITY
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.durable import open_to_read
from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire.mailbox_name import encode, level as read_level
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
from maildrop.storage.index.check_control import control_file, uid_validity_of
from maildrop.storage.index.host import Host
from maildrop.storage.index.opening import LOG
from maildrop.storage.index.uid_validity import next_uid_validity
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.mbox.locks import METHODS, MboxLock
from maildrop.storage.mbox.store import LEVELS_MAX, MAILBOXES_MAX, MboxStore
from maildrop.storage.name_lists import NameList

_INBOX: Final = "INBOX"


@dataclass(frozen=True, slots=True)
class Account:
    """Where everything of an account is.

    Attributes:
        inbox: Path of the inbox.
        folders: Directory of the other mailboxes.
        control: Directory of the control files.
        host: Disk, time, the longest wait for a lock.
        open_store: Opens the store, for repairs.
        methods: Lock methods, in their order.
        owner: uid that everything should belong to, None if that does not matter.
    """

    inbox: str
    folders: str
    control: str
    host: Host
    open_store: Callable[[], MboxStore]
    methods: Sequence[str] = METHODS
    owner: int | None = None

    def lock(self, path: str) -> MboxLock:
        """The locks of an mbox."""
        return MboxLock(path, self.host, self.methods)


def mailboxes(account: Account) -> Iterator[tuple[str, str, str]]:
    """Name, path and control directory of each mailbox, INBOX first."""
    yield _INBOX, account.inbox, os.path.join(account.control, _INBOX)
    for entry, levels, name in _walk(account.folders, ()):
        if name in {None, _INBOX} or entry.is_symlink():
            continue
        control = os.path.join(account.control, *[f"={level}" for level in levels])
        known = os.path.lexists(os.path.join(control, LOG))
        if entry.path != account.inbox and (known or _is_mbox(entry.path)):
            yield name, entry.path, control


Listed = tuple["os.DirEntry[str]", tuple[str, ...], str | None]


def _walk(path: str, above: tuple[str, ...]) -> Iterator[Listed]:
    """Every file, its levels, and the mailbox it could be; None for an invalid name."""
    try:
        with os.scandir(path) as found:
            listed = sorted(found, key=lambda entry: entry.name)[:MAILBOXES_MAX]
    except OSError:
        return
    for entry in listed:
        if entry.name.startswith(".") or entry.name.endswith(".lock"):
            continue
        levels = (*above, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if len(levels) < LEVELS_MAX:
                yield from _walk(entry.path, levels)
        else:
            yield entry, levels, _name(levels)


def _name(levels: Sequence[str]) -> str | None:
    try:
        decoded = [read_level(os.fsencode(level)) for level in levels]
        written = [encode(level).decode("ascii") for level in decoded]
    except (ProtocolSyntaxError, UnicodeError):
        return None
    if written != list(levels) or any("/" in level for level in decoded):
        return None
    if levels[0].upper() == _INBOX and levels[0] != _INBOX:
        return None
    return "/".join(decoded)


def _is_mbox(path: str) -> bool:
    """Whether a file is empty or begins as an mbox does."""
    with contextlib.suppress(OSError), open(open_to_read(path), "rb") as file:
        return file.read(5) in {b"From ", b""}
    return False


def proposed_name(level: str) -> str:
    """A name for a file whose own says nothing."""
    return encode(level.replace("/", "-")).decode("ascii")


class AccountPart:
    """What belongs to no single mailbox.

    Args:
        account: Where everything is.
    """

    mailbox = ""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._subscriptions = Subscriptions(account.folders, account.host, "/")
        self._special_use = f"{account.control}/maildrop.special-use"
        self._special = NameList(self._special_use, account.host)
        self._uid_validity = f"{account.control}/maildrop.uidvalidity"

    def next_uid_validity(self, above: int) -> int:
        """A UIDVALIDITY that no mailbox of the account has had."""
        return next_uid_validity(self._uid_validity, self._account.host, above)

    def count(self) -> int:
        """No messages."""
        return 0

    def check(self, told: Told) -> list[Finding]:
        """Look at everything."""
        del told
        account = self._account
        names = {name for name, _, _ in mailboxes(account)}
        lists = f"{account.folders}/.subscriptions"
        return [
            *control_file(account.folders, "", account.owner, directory=True),
            *control_file(account.control, "", account.owner, directory=True),
            *self._hidden(),
            *self._orphaned(),
            *self._last_uid_validity(),
            *examine_quota(account.control),
            *control_file(lists, "", account.owner),
            *examine_subscriptions(self._subscriptions.lines, lists, names),
            *examine_special_use(self._special.lines, self._special_use, names),
        ]

    def _hidden(self) -> Iterator[Finding]:
        """Mailboxes that no client sees."""
        account = self._account
        for entry, levels, name in _walk(account.folders, ()):
            if entry.path == account.inbox:
                continue
            if entry.is_symlink():
                if _is_mbox(os.path.realpath(entry.path)):
                    evidence = f"it leads to {shown(os.path.realpath(entry.path))}"
                    yield self._found(Code.FOLDER_IS_LINK, entry, evidence)
            elif not _is_mbox(entry.path):
                continue
            elif name is None and levels[0].upper() == _INBOX != levels[0]:
                evidence = "INBOX, however it is written, is another mailbox"
                yield self._found(Code.FOLDER_HIDDEN, entry, evidence)
            elif name is None:
                wrong = next(level for level in levels if _name((level,)) is None)
                with contextlib.suppress(UnicodeError):
                    evidence = f"{shown(wrong)} would do as {proposed_name(wrong)}"
                    yield self._found(Code.FOLDER_NAME_INVALID, entry, evidence)
            elif name == _INBOX:
                evidence = f"INBOX is {shown(account.inbox)}"
                yield self._found(Code.FOLDER_HIDDEN, entry, evidence)

    def _found(self, code: Code, entry: "os.DirEntry[str]", evidence: str) -> Finding:
        return Finding(code, "", evidence, entry.path, what=shown(entry.path))

    def _orphaned(self) -> Iterator[Finding]:
        """Control files of mailboxes that do not exist."""
        account = self._account
        known = {control for _, _, control in mailboxes(account)}
        for directory, _, files in os.walk(account.control):
            if LOG in files and directory not in known:
                levels = os.path.relpath(directory, account.control).split("/")
                path = os.path.join(account.folders, *[x.lstrip("=") for x in levels])
                evidence = f"there is no {shown(path)}"
                yield Finding(
                    Code.CONTROL_ORPHANED, "", evidence, directory, what=directory
                )

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
            (uid_validity_of(control), name)
            for name, _, control in mailboxes(self._account)
        )

    def repair(self, findings: Sequence[Finding]) -> None:
        """Put right what is derived.

        Raises:
            MaildropError: It could not be done.
        """
        codes = codes_in(findings)
        if Code.UID_VALIDITY_FILE_WRONG in codes:
            host = self._account.host
            put_uid_validity(self._uid_validity, self._highest()[0], host)
        if Code.QUOTA_WRONG in codes:
            forget_quota(self._account.control, self._account.host.disk)
        if codes & SUBSCRIPTION_CODES:
            self._subscriptions.remove_doubles()
        if Code.SPECIAL_USE_WRONG in codes:
            self._special.keep(is_special_use)

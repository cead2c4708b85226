"""Taking over the mail of accounts from other servers.

In this file:
    Adopting    does it, account by account
    Wanted      how
    Adopted     what became of an account
    Taken       what became of a mailbox

The rights are those of the account, as when it is served.
"""

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from maildrop.app.direct import Direct
from maildrop.app.schema import Configuration
from maildrop.durable import translated
from maildrop.errors import ConfigurationError, PermanentError
from maildrop.mailbox.account import Account
from maildrop.mailbox.interfaces import Store
from maildrop.storage.foreign import courier, cyrus, dovecot, lists, maildir, mbox
from maildrop.storage.foreign.detecting import detect, refuse_busy, refuse_unknown
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.foreign.maildir import Folder
from maildrop.storage.foreign.taking import Taken
from maildrop.storage.index.host import Host
from maildrop.storage.index.uid_validity import next_uid_validity
from maildrop.storage.maildir.layout import directory_of
from maildrop.storage.mbox.store import MboxStore

__all__ = ["Adopted", "Adopting", "Taken", "Wanted"]

#: What reads a mailbox's files, by server.
_READ: dict[str, Callable[[str], Facts | None]] = {
    "dovecot": dovecot.read_maildir,
    "courier": courier.read_maildir,
}

#: Told of a mailbox, how many of its messages are done.
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an adoption is to be.

    Attributes:
        server: ``auto``, or whose files are read.
        dry_run: Only say what would be taken over.
        accept_loss: Go on where not everything can be kept.
        spool: Directory of Cyrus' spool that is copied; empty to adopt in place.
        uidl: Form of POP3 unique ids, where the server's own is not its default.
    """

    server: str = "auto"
    dry_run: bool = False
    accept_loss: bool = False
    uidl: bytes = b""
    spool: str = ""


@dataclass(slots=True)
class Adopted:
    """What became of an account.

    Attributes:
        account: Its name.
        found: What was found, in words.
        mailboxes: What was taken over.
        subscribed: Subscriptions taken over.
        special_use: Mailboxes that have a special use, with it.
    """

    account: str
    found: str = ""
    mailboxes: list[Taken] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    special_use: list[tuple[str, str]] = field(default_factory=list)


class Adopting:
    """Takes over mail.

    Args:
        configuration: Names the users and where their mail is.
        direct: Opens their stores; made of the configuration if not given.
        host: Disk, clock, lock waits; this machine's if not given.
    """

    def __init__(
        self,
        configuration: Configuration,
        direct: Direct | None = None,
        host: Host | None = None,
    ) -> None:
        self._special = configuration.mail.special_use.pairs()
        self._direct = direct or Direct(configuration)
        self._host = host or Host.here()

    def accounts(self) -> Iterator[Account]:
        """All accounts."""
        return map(self._direct.account, self._direct.names())

    def account(self, name: str) -> Account:
        """One account.

        Raises:
            NoSuchUser: There is none of this name.
        """
        return self._direct.account(name)

    def account_at(self, path: str) -> Account:
        """The account whose mail lies at a path.

        Raises:
            ConfigurationError: There is none.
        """
        wanted = os.path.realpath(path)
        for account in self.accounts():
            paths = account.location.partition(":")[2].split(":")
            if wanted in map(os.path.realpath, filter(None, paths)):
                return account
        raise ConfigurationError(
            f"{path} is the mail of no user: give a user mail=maildir:{wanted} (or"
            " mbox:...) in the users' file first, or set mail.location"
        )

    def adopt(
        self,
        account: Account,
        wanted: Wanted,
        progress: Progress = lambda _name, _done: None,
    ) -> Adopted:
        """Take over the mail of one account.

        Raises:
            PermanentError: It cannot be done, or something would be lost.
            MailboxInUse: The other server is at work on it.
        """
        kind, _, paths = account.location.partition(":")
        if wanted.server == "cyrus":
            return self._cyrus(account, kind, paths, wanted, progress)
        with self._direct.rights.as_owner(account):
            if kind == "maildir":
                return self._maildir(account, paths, wanted, progress)
            if kind == "mbox":
                return self._mbox(account, wanted, progress)
        raise PermanentError(f"{account.name}: mail in {kind} has nothing to adopt")

    def _maildir(
        self, account: Account, root: str, wanted: Wanted, progress: Progress
    ) -> Adopted:
        if not os.path.isdir(root):
            return Adopted(account.name, f"{root} is not there: nothing to take over")
        folders = maildir.folders(root)
        for folder in folders:
            refuse_busy(folder.path)
        found = detect(folder.path for folder in folders)
        server = found.server() if wanted.server == "auto" else wanted.server
        adopted = Adopted(account.name, found.sentence())
        if not server:
            return adopted
        refuse_unknown(server)
        if not wanted.dry_run:
            folders = [self._renamed(folder) for folder in folders]
        for folder in folders:
            facts = _READ[server](folder.path)
            if facts is not None and wanted.uidl:
                facts.uidl_form, facts.uidl_shift = wanted.uidl, 0
                facts.uidl_validity = facts.uid_validity
            taken = maildir.adopt(
                folder,
                facts,
                self._host,
                lambda above: next_uid_validity(
                    f"{root}/maildrop.uidvalidity", self._host, above
                ),
                dry_run=wanted.dry_run,
                accept_loss=wanted.accept_loss,
                progress=functools.partial(progress, folder.name),
            )
            adopted.mailboxes.append(taken)
        self._lists(account, root, server, adopted, wanted)
        return adopted

    def _cyrus(
        self,
        account: Account,
        kind: str,
        root: str,
        wanted: Wanted,
        progress: Progress,
    ) -> Adopted:
        """Copy what lies in the spool, then take it over."""
        if kind != "maildir" or not wanted.spool:
            raise PermanentError(
                "mail of Cyrus is copied: name the user's directory in the spool, and"
                " with --user a user whose mail lies in a Maildir"
            )
        with self._direct.rights.as_root():
            found = cyrus.spooled(wanted.spool, account.name.partition("@")[0])
        adopted = Adopted(account.name, f"{len(found)} mailboxes in {wanted.spool}")
        for mailbox in found:
            facts = cyrus.facts_of(mailbox)
            if facts.losses and not wanted.dry_run and not wanted.accept_loss:
                raise PermanentError(
                    f"mailbox {mailbox.name}: {'; '.join(facts.losses)}."
                    " Give --accept-loss to take over the rest"
                )
            with self._direct.store(account) as store:
                adopted.mailboxes.append(
                    self._copied(store, root, mailbox, facts, wanted, progress)
                )
        names = [taken.mailbox for taken in adopted.mailboxes]
        adopted.special_use = lists.special_uses(names, self._special)
        if not wanted.dry_run:
            with self._direct.rights.as_owner(account):
                lists.keep_special_uses(
                    f"{root}/maildrop.special-use", adopted.special_use, self._host
                )
        return adopted

    def _copied(
        self,
        store: Store,
        root: str,
        mailbox: cyrus.Spooled,
        facts: Facts,
        wanted: Wanted,
        progress: Progress,
    ) -> Taken:
        directory = directory_of(mailbox.name)
        path = f"{root}/{directory}" if directory else root
        if wanted.dry_run:
            return Taken(
                mailbox.name,
                "would be",
                "cyrus",
                facts.uid_validity,
                facts.uid_next,
                len(facts.uids),
                losses=tuple(facts.losses),
                remarks=tuple(facts.remarks),
            )
        if not os.path.isdir(f"{path}/cur"):
            store.create(mailbox.name)
        told = functools.partial(progress, mailbox.name)
        cyrus.copy(mailbox, path, self._read_spool, self._host, told)
        return maildir.adopt(
            Folder(mailbox.name, path),
            facts,
            self._host,
            lambda above: next_uid_validity(
                f"{root}/maildrop.uidvalidity", self._host, above
            ),
            dry_run=False,
            accept_loss=wanted.accept_loss,
        )

    def _read_spool(self, mailbox: cyrus.Spooled, uid: int) -> bytes:
        with self._direct.rights.as_root():
            return cyrus.message(mailbox, uid)

    def _mbox(self, account: Account, wanted: Wanted, progress: Progress) -> Adopted:
        if wanted.server not in {"auto", "dovecot", "uw"}:
            raise PermanentError(f"an mbox is of dovecot or uw, not of {wanted.server}")
        adopted = Adopted(account.name)
        folders = account.location.split(":")[2:]
        root = folders[0] if folders else os.path.join(account.home, "mail")
        with self._direct.store(account) as store:
            if not isinstance(store, MboxStore):
                raise PermanentError(f"{account.location} is no mbox")
            for entry in store.entries():
                if not entry.selectable:
                    continue
                file, control = store.place(entry.name)
                taken = mbox.adopt(
                    entry.name,
                    file,
                    control,
                    mbox.index_path(entry.name, file.path, root),
                    self._host,
                    store.next_uid_validity,
                    server=wanted.server,
                    dry_run=wanted.dry_run,
                    accept_loss=wanted.accept_loss,
                    uidl=wanted.uidl,
                    progress=functools.partial(progress, entry.name),
                )
                adopted.mailboxes.append(taken)
            adopted.found = _found(adopted.mailboxes)
            self._mbox_lists(store, account.home, root, adopted, wanted)
        return adopted

    def _mbox_lists(
        self, store: MboxStore, home: str, root: str, adopted: Adopted, wanted: Wanted
    ) -> None:
        names = [taken.mailbox for taken in adopted.mailboxes]
        adopted.special_use = lists.special_uses(names, self._special)
        if any(taken.server == "uw" for taken in adopted.mailboxes):
            adopted.subscribed = lists.listed_by_uw(home, root)
        if not wanted.dry_run:
            _subscribe(store, adopted.subscribed)
            control = os.path.dirname(store.place("INBOX")[1])
            path = f"{control}/maildrop.special-use"
            lists.keep_special_uses(path, adopted.special_use, self._host)

    def _renamed(self, folder: Folder) -> Folder:
        if not folder.renamed:
            return folder
        with translated(f"rename {folder.path}"):
            self._host.disk.rename(folder.path, folder.renamed)
            self._host.disk.synchronize_directory(os.path.dirname(folder.path))
        return Folder(folder.name, folder.renamed)

    def _lists(
        self,
        account: Account,
        root: str,
        server: str,
        adopted: Adopted,
        wanted: Wanted,
    ) -> None:
        """Subscriptions and special uses."""
        names = [taken.mailbox for taken in adopted.mailboxes]
        adopted.special_use = lists.special_uses(names, self._special)
        adopted.subscribed = lists.subscriptions(root, server)
        if wanted.dry_run:
            return
        with self._direct.store(account) as store:
            _subscribe(store, adopted.subscribed)
        lists.keep_special_uses(
            f"{root}/maildrop.special-use", adopted.special_use, self._host
        )


def _found(taken: list[Taken]) -> str:
    """Which servers' traces mailboxes had, in words."""
    servers = [one.server for one in taken if one.server]
    if not servers:
        return "no other server's traces were found"
    parts = [f"{servers.count(s)} mailboxes from {s}" for s in sorted({*servers})]
    return ", ".join(parts)


def _subscribe(store: Store, names: list[str]) -> None:
    there = set(store.subscriptions())
    for name in names:
        if name not in there:
            store.subscribe(name)

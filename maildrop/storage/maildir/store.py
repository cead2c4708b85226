r"""All mail of one account in a Maildir with Maildir++ folders.

In this file:
    MaildirStore    see ``mailbox.interfaces.Store``

Files in the account's Maildir, beside those of INBOX itself:

    .Work.2024/               a mailbox (``layout`` has the names); it holds an empty
                              file ``maildirfolder``, as Maildir++ wants
    subscriptions             see ``subscriptions``
    maildrop.uidvalidity      the last UIDVALIDITY given
    maildrop.special-use      which mailbox has which use; its being there says that the
                              special mailboxes were made
    maildrop.lock             locked while mailboxes are made, removed or renamed
    maildrop.renaming         a rename under way
    maildrop.creating.N       a mailbox being made
    maildrop.deleted.N        a mailbox being removed
    maildrop.kept.N/.Work     one that was deleted and can come back (``restoring``)
    maildrop.kept/            expunged messages, as in every mailbox (``kept``)

States on disk, and what a crash leaves:

    create    1 maildrop.creating.N made whole    removed an hour later
              2 renamed to its name, synced       done
    delete    1 renamed to maildrop.deleted.N     gone; removed by the next ``entries``
              2 removed                           done
    delete,   1 maildrop.kept.N made, synced      an empty directory, removed some day
    kept      2 renamed into it                   done
    rename    1 maildrop.renaming written         the old names; the next one goes on
              2 each directory renamed            some old, some new; the same
              3 maildrop.renaming removed         done

Renaming INBOX moves its messages (RFC 3501 section 6.3.5), one MOVE.

Security: ``layout`` says which directories there are.  A directory that is a symbolic
link is no mailbox.
"""

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import is_there, open_to_read, translate, translated
from maildrop.errors import (
    AccessDenied,
    MailboxExists,
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotRemovable,
    MailboxNotSelectable,
    MaildropError,
    StorageFailure,
)
from maildrop.mailbox.interfaces import MailboxEntry
from maildrop.mailbox.keeping import Freed, Keeping, Kept, Restored
from maildrop.mailbox.quota import Quota, Reached, Usage
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.index.numbering import renumber
from maildrop.storage.index.opening import still
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.uid_validity import next_uid_validity
from maildrop.storage.maildir.kept import Shelves
from maildrop.storage.maildir.layout import directory_of, name_of
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.restoring import DELETED as KEPT, KeptMail
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.maildir.tidying import tidy
from maildrop.storage.name_lists import NameList

_PARTS: Final = ("tmp", "new", "cur")
_CREATING: Final = "maildrop.creating."
_DELETED: Final = "maildrop.deleted."
_RENAMING: Final = "maildrop.renaming"
#: Longest note of a renaming that is believed, in octets.
_JOURNAL_MAX: Final = 1 << 24
#: Seconds after which no second change of a directory has the time of the first.
_SETTLED: Final = 3.0
#: Seconds after which a mailbox being made is one that nobody makes any more.
_FORGOTTEN: Final = 3600.0


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise translate(error, f"look at {path}") from error


class MaildirStore:
    """The mail of one account.

    Args:
        path: Its Maildir; made if missing.
        host: Disk, time, chance.
        remembered: Memory for pieces of messages, shared by the whole process.
    """

    def __init__(self, path: str, host: Host, remembered: Remembered) -> None:
        self._root = path
        self._host = host
        self._remembered = remembered
        self._subscriptions = Subscriptions(path, host)
        self._special = NameList(f"{path}/maildrop.special-use", host)
        self._journal = f"{path}/{_RENAMING}"
        self._shelves = Shelves(self._make_room)
        self._kept = KeptMail(path, host, self._shelves, self)
        self._ledgers: tuple[int, list[str]] = (0, [])
        self._allowance = Allowance(path, self._with_ledgers, host)
        self._make_directory(path)
        self._complete(path)

    def _complete(self, path: str) -> None:
        for part in _PARTS:
            directory = f"{path}/{part}"
            if not os.path.isdir(directory):
                self._make_directory(directory)

    def _make_directory(self, path: str) -> None:
        try:
            with translated(f"make {path}"):
                self._host.disk.make_directories(path)
        except FileExistsError:
            raise StorageFailure(f"{path} is no directory") from None

    # -- names and paths

    def _path(self, directory: str) -> str:
        return f"{self._root}/{directory}" if directory else self._root

    def _is_mailbox(self, directory: str) -> bool:
        """Whether a directory is there and has messages, or could."""
        if not directory:
            return True
        path = self._path(directory)
        try:
            return _is_directory(path) and _is_directory(f"{path}/cur")
        except AccessDenied:  # it is there; whoever opens it will be told
            return True

    def directories(self) -> list[str]:
        """Every directory that has a mailbox's name and form."""
        with translated(f"list {self._root}"), os.scandir(self._root) as listed:
            found = [entry for entry in listed if entry.is_dir(follow_symlinks=False)]
        for entry in found:
            self._clean(entry)
        names = (entry.name for entry in found if name_of(entry.name) is not None)
        return sorted(name for name in names if self._is_mailbox(name))

    def _clean(self, entry: "os.DirEntry[str]") -> None:
        """Remove what a crash left of a mailbox made or removed."""
        leftover = entry.name.startswith(_DELETED)
        if entry.name.startswith(_CREATING):
            with contextlib.suppress(FileNotFoundError):
                age = self._host.clock() - entry.stat(follow_symlinks=False).st_mtime
                leftover = age > _FORGOTTEN
        if leftover:
            self._host.disk.remove_tree(entry.path)

    def entries(self) -> list[MailboxEntry]:
        """Every mailbox and every level above one, sorted."""
        self._go_on_renaming()
        names = {name_of(directory) or "" for directory in self.directories()}
        names.add("INBOX")
        above: set[str] = set()
        for name in names:
            levels = name.split("/")
            above.update("/".join(levels[:n]) for n in range(1, len(levels)))
        uses: dict[str, tuple[str, ...]] = {}
        for name, use in self._special.pairs():
            uses[name] = (*uses.get(name, ()), use)
        return [
            MailboxEntry(
                name,
                selectable=name in names,
                children=name in above,
                special_use=uses.get(name, ()) if name in names else (),
            )
            for name in sorted(names | above)
        ]

    def _children(self, directory: str) -> list[str]:
        return [d for d in self.directories() if d.startswith(directory + ".")]

    # -- opening

    def open(self, name: str) -> MaildirMailbox:
        """Open a mailbox."""
        directory = directory_of(name)
        self._go_on_renaming()
        if not self._is_mailbox(directory):
            if self._children(directory):
                raise MailboxNotSelectable(f"{name!r} holds no messages")
            raise MailboxNotFound(f"no mailbox {name!r}")
        self._complete(self._path(directory))
        return self.open_at(name, self._path(directory))

    def open_at(self, name: str, path: str) -> MaildirMailbox:
        """Open a mailbox wherever it is."""
        return MaildirMailbox(
            name,
            path,
            self._host,
            self._next_uid_validity,
            self._remembered,
            self._shelves,
            self._allowance,
        )

    def _next_uid_validity(self, above: int) -> int:
        path = f"{self._root}/maildrop.uidvalidity"
        return next_uid_validity(path, self._host, above)

    def renumber(self, name: str, uid_validity: int | None = None) -> int:
        """Give a mailbox another UIDVALIDITY."""
        self.open(name).close()
        above = 0 if uid_validity is None else uid_validity - 1
        fresh = self._next_uid_validity(above)  # later ones are larger than either
        given = fresh if uid_validity is None else uid_validity
        renumber(self._path(directory_of(name)), self._host, given)
        return given

    # -- changing

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One at a time makes, removes and renames mailboxes."""
        with locked(f"{self._root}/maildrop.lock", self._host):
            self._finish_renaming()
            yield

    def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox; the levels above are there by its name."""
        directory = directory_of(name)
        with self.changing():
            if self._is_mailbox(directory):
                raise MailboxExists(f"mailbox {name!r} exists")
            with translated(f"make {self._path(directory)}"):
                self._make(directory)
        for use in special_use:
            self._special.add(name, use)

    def _make(self, directory: str) -> None:
        disk = self._host.disk
        beside = self._path(self._unused(_CREATING))
        try:
            disk.make_directory(beside)
            for part in _PARTS:
                disk.make_directory(f"{beside}/{part}")
            os.close(disk.create(f"{beside}/maildirfolder"))
            disk.synchronize_directory(beside)
            disk.rename(beside, self._path(directory))
        except OSError:
            disk.remove_tree(beside)
            raise
        try:
            disk.synchronize_directory(self._root)
        except OSError:
            self._unmake(directory, beside)
            raise

    def _unmake(self, directory: str, beside: str) -> None:
        """Take back a mailbox that was made just now and is empty."""
        if not any(os.listdir(f"{self._path(directory)}/{part}") for part in _PARTS):
            with contextlib.suppress(OSError):
                self._host.disk.rename(self._path(directory), beside)
            self._host.disk.remove_tree(beside)

    def _unused(self, prefix: str) -> str:
        host = self._host
        chance = host.random(4).hex()
        return f"{prefix}{int(host.clock())}.{host.process}.{host.serial()}.{chance}"

    def delete(self, name: str) -> None:
        """Remove a mailbox and its messages."""
        directory = directory_of(name)
        if not directory:
            raise MailboxNotRemovable("INBOX stays")
        with self.changing():
            if not self._is_mailbox(directory):
                if self._children(directory):
                    raise MailboxNotRemovable(f"{name!r} has mailboxes below it")
                raise MailboxNotFound(f"no mailbox {name!r}")
            keeping = self._shelves.keeping
            beside = self._path(self._unused(KEPT if keeping.seconds else _DELETED))
            target = beside
            with translated(f"remove {self._path(directory)}"):
                if keeping.seconds:
                    self._host.disk.make_directories(beside)
                    target = f"{beside}/{directory}"
                with still(self._path(directory), self._host):
                    self._host.disk.rename(self._path(directory), target)
                if keeping.seconds:
                    self._host.disk.synchronize_directory(beside)
                self._host.disk.synchronize_directory(self._root)
        self._special.remove(name)
        if keeping.seconds:
            self._shelves.added(keeping.octets)  # how much that is, giving up will tell
        else:
            self._host.disk.remove_tree(beside)

    def rename(self, name: str, new_name: str) -> None:
        """Rename with all children; INBOX moves its messages."""
        old, new = directory_of(name), directory_of(new_name)
        if not old:
            self._move_inbox(new_name)
            return
        with self.changing():
            pairs = self._renamed(name, old, new_name, new)
            lines = "".join([f"{a}\t{b}\n" for a, b in pairs])
            with translated(f"rename {self._path(old)}"):
                self._host.disk.replace_file(self._journal, lines.encode())
            self._finish_renaming()

    def _renamed(
        self, name: str, old: str, new_name: str, new: str
    ) -> list[tuple[str, str]]:
        """The directories to rename, and to what; all of it possible."""
        if not new or self._is_mailbox(new) or self._children(new):
            raise MailboxExists(f"mailbox {new_name!r} exists")
        directories = self._children(old)
        if self._is_mailbox(old):
            directories.append(old)
        if not directories:
            raise MailboxNotFound(f"no mailbox {name!r}")
        if new_name.startswith(name + "/"):
            raise MailboxNameInvalid(f"{new_name!r} lies below {name!r}")
        pairs = [(directory, new + directory[len(old) :]) for directory in directories]
        for _, target in pairs:
            if name_of(target) is None:
                raise MailboxNameInvalid(f"{new_name!r} makes a name too long")
        return pairs

    def _go_on_renaming(self) -> None:
        """Somebody may have died while renaming."""
        if is_there(self._journal):
            with self.changing():
                pass

    def _finish_renaming(self) -> None:
        """Steps 2 and 3, with the lock held."""
        try:
            with translated(f"read {self._journal}"):
                fd = open_to_read(self._journal)
        except FileNotFoundError:
            return
        with open(fd, "rb") as file:
            octets = file.read(_JOURNAL_MAX)
        lines = octets.decode("utf-8", "replace").splitlines()
        pairs = [line.partition("\t") for line in lines]
        disk = self._host.disk
        with translated(f"rename in {self._root}"):
            for old, _, new in pairs:
                before, after = name_of(old), name_of(new)
                if before is None or after is None:
                    continue
                if self._is_mailbox(old) and not self._is_mailbox(new):
                    with still(self._path(old), self._host):
                        disk.rename(self._path(old), self._path(new))
                self._rename_special(before, after)
            disk.synchronize_directory(self._root)
            disk.unlink(self._journal)

    def _rename_special(self, name: str, new_name: str) -> None:
        for special, use in self._special.pairs():
            if special == name:
                self._special.remove(special)
                self._special.add(new_name, use)

    def _move_inbox(self, new_name: str) -> None:
        self.create(new_name)
        try:
            with contextlib.ExitStack() as both:
                inbox = self.open("INBOX")
                both.callback(inbox.close)
                target = self.open(new_name)
                both.callback(target.close)
                inbox.move(list(inbox.table.uids), target, None)
        except MaildropError:
            with contextlib.suppress(OSError):
                directory = directory_of(new_name)
                self._unmake(directory, self._path(self._unused(_DELETED)))
            raise

    # -- subscriptions, special use

    def subscriptions(self) -> list[str]:
        """Subscribed names, sorted."""
        return self._subscriptions.names()

    def subscribe(self, name: str) -> None:
        """Add to the subscriptions."""
        directory_of(name)
        self._subscriptions.add(name)

    def unsubscribe(self, name: str) -> None:
        """Take from the subscriptions."""
        self._subscriptions.remove(name)

    def provide(self, special: Sequence[tuple[str, str]]) -> None:
        """Make the special-use mailboxes, once."""
        if self._special.exists():
            return
        for name, _ in special:
            with contextlib.suppress(MailboxExists):
                self.create(name)
        self._subscriptions.add(*[name for name, _ in special])
        self._special.add_all(special)  # last: its being there says that all is done

    # -- quota

    def limit(
        self, quota: Quota | None, reached: Callable[[Reached], None] | None = None
    ) -> None:
        """From now on refuse what goes beyond the limits."""
        self._allowance.limit(quota, reached)

    def usage(self, *, recount: bool = False) -> Usage:
        """What is there."""
        if recount:
            for entry in self.entries():
                if entry.selectable:
                    self.open(entry.name).close()
        return self._allowance.used(recount=recount)

    def _with_ledgers(self) -> list[str]:
        """The directories of all mailboxes; looked for when the root has changed."""
        try:
            changed = os.stat(self._root).st_mtime_ns
        except OSError as error:
            raise translate(error, f"look at {self._root}") from error
        if changed != self._ledgers[0]:
            with translated(f"list {self._root}"), os.scandir(self._root) as listed:
                found = [
                    entry.path
                    for entry in listed
                    if name_of(entry.name) is not None
                    and entry.is_dir(follow_symlinks=False)
                ]
            settled = self._host.clock() - changed / 1e9 > _SETTLED
            self._ledgers = (changed if settled else 0), [self._root, *found]
        return self._ledgers[1]

    # -- what was expunged

    def keep(self, keeping: Keeping) -> None:
        """From now on keep what is expunged so."""
        self._shelves.keeping = keeping

    def kept(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""
        return self._kept.all()

    def read_kept(self, kept: Kept) -> bytes | None:
        """The whole message; None when it is no more."""
        return self._kept.read(kept)

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back."""
        return self._kept.restore(kept)

    def give_up(self, before: float, octets: int = 0) -> Freed:
        """Remove for good what is kept."""
        return self._kept.give_up(before, octets)

    def _make_room(self) -> None:
        keeping = self._shelves.keeping
        self._kept.give_up(self._host.clock() - keeping.seconds, keeping.octets)

    def tidy(self) -> int:
        """Remove old files from tmp/."""
        removed = 0
        for directory in ("", *self.directories()):
            name = name_of(directory) or "INBOX"
            removed += tidy(
                functools.partial(self.open, name), self._path(directory), self._host
            )
        return removed

    def close(self) -> None:
        """Mailboxes are closed one by one; nothing else is open."""

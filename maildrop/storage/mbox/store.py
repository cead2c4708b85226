"""All mailboxes of one account: the inbox in the spool, the others in a directory.

In this file:
    MboxStore    see ``mailbox.interfaces.Store``

A mailbox ``a/b`` is the file ``b`` in the directory ``a`` of the folder directory;
names are in modified UTF-7 on disk, as other servers write them.  A name is a file or a
directory, never both: a mailbox that holds messages has no children, and a level above
a mailbox holds none.

Control files (ledger, cache, layout, journal) lie in a directory of their own for each
mailbox, below ``control``: ``INBOX``, and ``=a/=b`` for the mailbox ``a/b``.

| operation | steps | a crash in between |
|---|---|---|
| create | directories made; file made; directory synced | some empty levels |
| delete | copied (``kept``); file removed; control directory | its ledger stays |
| rename | see ``renaming`` | the next one goes on |

Security: a name is cut into levels, and each level is encoded and checked before it
touches the disk; no level is ``.``, ``..``, begins with a dot or ends like a lock.
Symbolic links are not followed: not as a mailbox, nor as a directory of mailboxes.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import open_to_read, translate, translated
from maildrop.errors import (
    AccessDenied,
    MailboxExists,
    MailboxNameInvalid,
    MailboxNotFound,
    MailboxNotRemovable,
    MailboxNotSelectable,
    MaildropError,
    ProtocolSyntaxError,
    StorageFailure,
)
from maildrop.imap.wire.mailbox_name import encode, level as read_level
from maildrop.mailbox.interfaces import MailboxEntry
from maildrop.mailbox.keeping import Freed, Keeping, Kept, Restored
from maildrop.mailbox.names import check
from maildrop.mailbox.quota import Quota, Reached, Usage
from maildrop.storage.index.allowance import Allowance
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.numbering import renumber
from maildrop.storage.index.opening import LOG
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.index.uid_validity import next_uid_validity
from maildrop.storage.maildir.subscriptions import Subscriptions
from maildrop.storage.mbox.file import MboxFile
from maildrop.storage.mbox.kept import KeepFile
from maildrop.storage.mbox.locks import METHODS
from maildrop.storage.mbox.mailbox import MboxMailbox
from maildrop.storage.mbox.moving import Moves
from maildrop.storage.mbox.renaming import Renaming, still_if_there
from maildrop.storage.mbox.restoring import KeptMail
from maildrop.storage.name_lists import NameList

#: Levels of directories looked into, and names listed at most.
LEVELS_MAX: Final = 32
MAILBOXES_MAX: Final = 20_000
#: Longest name of a file, in octets (ext4 and most others).
_FILE_NAME_MAX: Final = 240


class MboxStore:
    """The mail of one account in mbox files.

    Args:
        inbox: Path of the inbox; the file need not exist.
        folders: Directory of the other mailboxes; made when first needed.
        control: Directory of the control files; exists.
        host: Disk, time, chance.
        remembered: Memory for pieces, shared by all mailboxes of the process.
        methods: Lock methods, in their order.
        owner: uid of the user, None if that does not matter.
    """

    def __init__(
        self,
        inbox: str,
        folders: str,
        control: str,
        host: Host,
        remembered: Remembered,
        methods: Sequence[str] = METHODS,
        owner: int | None = None,
    ) -> None:
        self._inbox = inbox
        self._folders = folders
        self._control = control
        self._host = host
        self._remembered = remembered
        self._methods = methods
        self._owner = owner
        self._subscribed = Subscriptions(folders, host, "/")
        self._special = NameList(os.path.join(control, "maildrop.special-use"), host)
        self._moves = Moves(control, host, self._opened)
        self._renaming = Renaming(
            control,
            host,
            lambda name: (self._path(name), self._control_of(name)),
            self._special,
        )
        self._keep_file = KeepFile(control, host)
        self._kept = KeptMail(control, host, self._keep_file, self)
        self._allowance = Allowance(control, self._with_ledgers, host)

    # -- names and paths

    def _levels(self, name: str) -> list[str]:
        check(name)
        levels = [encode(level).decode("ascii") for level in name.split("/")]
        for level in levels:
            if level.startswith(".") or level.endswith(".lock"):
                raise MailboxNameInvalid(f"no mailbox can be called {name!r}")
            if len(level) > _FILE_NAME_MAX:
                raise MailboxNameInvalid(f"{name!r} is too long for a file")
        if len(levels) > LEVELS_MAX:
            raise MailboxNameInvalid(f"{name!r} has more than {LEVELS_MAX} levels")
        return levels

    def _path(self, name: str) -> str:
        return os.path.join(self._folders, *self._levels(name))

    def _control_of(self, name: str) -> str:
        if name == "INBOX":
            return os.path.join(self._control, "INBOX")
        return os.path.join(self._control, *[f"={x}" for x in self._levels(name)])

    def _kind(self, name: str) -> int | None:
        """File type of a mailbox's path; None when there is nothing."""
        path = self._folders
        mode = None
        for level in self._levels(name):
            path = os.path.join(path, level)
            try:
                mode = stat.S_IFMT(os.lstat(path).st_mode)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                raise translate(error, f"look at {path}") from error
            if mode not in {stat.S_IFREG, stat.S_IFDIR}:
                return None
        return mode

    def _go_on(self) -> None:
        """Finish what somebody died of."""
        self._renaming.go_on()
        self._moves.go_on()

    # -- listing

    def entries(self) -> list[MailboxEntry]:
        """Every mailbox and level."""
        self._go_on()
        special = {name: use for name, use in self._special.pairs() if use}
        found = dict(self._walk(self._folders, "", 1))
        parents = {name.rpartition("/")[0] for name in found}
        entries = [
            MailboxEntry(
                name,
                selectable=selectable,
                children=name in parents,
                special_use=(special[name],) if name in special else (),
            )
            for name, selectable in sorted(found.items())
        ]
        return [MailboxEntry("INBOX", children="INBOX" in parents), *entries]

    def _walk(self, path: str, above: str, depth: int) -> Iterator[tuple[str, bool]]:
        try:
            with translated(f"list {path}"), os.scandir(path) as found:
                listed = sorted(found, key=lambda entry: entry.name)[:MAILBOXES_MAX]
        except FileNotFoundError:
            return
        except AccessDenied:
            if above:
                return  # the rest can be seen all the same
            raise
        for entry in listed:
            name = self._name_of(entry, above)
            if name is None:
                continue
            if entry.is_dir(follow_symlinks=False):
                if name != "INBOX":
                    yield name, False
                if depth < LEVELS_MAX:
                    yield from self._walk(entry.path, name, depth + 1)
            elif name != "INBOX" and self._is_mailbox(entry):
                yield name, True

    def _name_of(self, entry: "os.DirEntry[str]", above: str) -> str | None:
        if entry.name.startswith(".") or entry.name.endswith(".lock"):
            return None
        try:
            level = read_level(os.fsencode(entry.name))
            found = encode(level).decode("ascii") == entry.name
        except (ProtocolSyntaxError, UnicodeError):
            return None
        if not found or "/" in level:  # by its name it could not be opened
            return None
        if not above and level.upper() == "INBOX" and level != "INBOX":
            return None  # to clients that is INBOX
        return f"{above}/{level}" if above else level

    def _is_mailbox(self, entry: "os.DirEntry[str]") -> bool:
        if entry.path == self._inbox or not entry.is_file(follow_symlinks=False):
            return False
        with contextlib.suppress(OSError), open(open_to_read(entry.path), "rb") as file:
            return file.read(5) in {b"From ", b""}
        return False

    # -- opening

    def open(self, name: str) -> MboxMailbox:
        """Open a mailbox."""
        self._go_on()
        return self._opened(name)

    def _opened(self, name: str) -> MboxMailbox:
        if name == "INBOX":
            path = self._inbox
        else:
            path = self._path(name)
            kind = self._kind(name)
            if kind is None:
                raise MailboxNotFound(f"no mailbox {name!r}")
            if kind == stat.S_IFDIR:
                raise MailboxNotSelectable(f"{name!r} holds no messages")
        control = self._control_of(name)
        with translated(f"make {control}"):
            self._make_directories(control)
        ledger = Ledger(control, self._host, self.next_uid_validity)
        return MboxMailbox(
            name,
            MboxFile(path, control, self._host, self._methods, self._owner),
            control,
            ledger,
            self._host,
            self._remembered,
            self._keep_file,
            self._allowance,
            self._moves,
            optional=name == "INBOX",
        )

    def place(self, name: str) -> tuple[MboxFile, str]:
        """A mailbox's file, and the directory that its control files have."""
        path = self._inbox if name == "INBOX" else self._path(name)
        control = self._control_of(name)
        methods, owner = self._methods, self._owner
        return MboxFile(path, control, self._host, methods, owner), control

    def next_uid_validity(self, above: int) -> int:
        """A UIDVALIDITY above ``above`` that the account has not had."""
        path = os.path.join(self._control, "maildrop.uidvalidity")
        return next_uid_validity(path, self._host, above)

    def renumber(self, name: str, uid_validity: int | None = None) -> int:
        """Give a mailbox another UIDVALIDITY."""
        self.open(name).close()
        above = 0 if uid_validity is None else uid_validity - 1
        fresh = self.next_uid_validity(above)  # later ones are larger than either
        given = fresh if uid_validity is None else uid_validity
        renumber(self._control_of(name), self._host, given)
        return given

    # -- changing

    def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it."""
        self._go_on()
        path = self._path(name)
        kind = self._kind(name)
        if kind == stat.S_IFREG or name == "INBOX":
            raise MailboxExists(f"mailbox {name!r} exists")
        if kind == stat.S_IFDIR:
            raise MailboxNameInvalid(f"{name!r} holds mailboxes and so no messages")
        disk = self._host.disk
        with translated(f"make {path}"):
            self._make_levels(name)
            disk.remove_tree(self._control_of(name))
            try:
                os.close(disk.create(path))
            except FileExistsError:
                raise MailboxExists(f"{path} is no mailbox, but exists") from None
            try:
                disk.synchronize_directory(os.path.dirname(path))
            except OSError:
                self._unmake(path)
                raise
        for use in special_use:
            self._special.add(name, use)

    def _make_levels(self, name: str) -> None:
        self._make_directories(self._folders)
        path = self._folders
        for level in self._levels(name)[:-1]:
            path = os.path.join(path, level)
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                self._host.disk.make_directories(path)
                continue
            if not stat.S_ISDIR(found.st_mode):
                raise MailboxNameInvalid(
                    f"{name!r}: a mailbox that holds messages has no children here"
                )

    def delete(self, name: str) -> None:
        """Remove a mailbox and its messages."""
        if name == "INBOX":
            raise MailboxNotRemovable("INBOX stays")
        self._go_on()
        path, kind = self._path(name), self._kind(name)
        if kind is None:
            raise MailboxNotFound(f"no mailbox {name!r}")
        disk = self._host.disk
        with translated(f"remove {path}"):
            if kind == stat.S_IFDIR:
                if os.listdir(path):
                    raise MailboxNotRemovable(f"{name!r} has mailboxes below it")
                disk.remove_directory(path)
            else:
                control = self._control_of(name)
                if self._keep_file.keeping.seconds:
                    self._keep_all(name)
                with still_if_there(control, self._host):
                    disk.unlink(path)
                    disk.synchronize_directory(os.path.dirname(path))
                    disk.remove_tree(control)
            disk.synchronize_directory(os.path.dirname(path))
        self._special.remove(name)

    def _keep_all(self, name: str) -> None:
        mailbox = self.open(name)
        try:
            mailbox.keep_all()
        finally:
            mailbox.close()

    def rename(self, name: str, new_name: str) -> None:
        """Rename with all children; INBOX moves its messages."""
        self._go_on()

        def check() -> None:
            if self._kind(new_name) is not None or new_name == "INBOX":
                raise MailboxExists(f"mailbox {new_name!r} exists")
            if name == "INBOX":
                return
            if self._kind(name) is None:
                raise MailboxNotFound(f"no mailbox {name!r}")
            if new_name.startswith(name + "/"):
                raise MailboxNameInvalid(f"{new_name!r} lies below {name!r}")
            with translated(f"rename {name!r}"):
                self._make_levels(new_name)

        if name == "INBOX":
            check()
            self._move_inbox(new_name)
        else:
            self._renaming.rename(name, new_name, check)

    def _move_inbox(self, new_name: str) -> None:
        self.create(new_name)
        try:
            with contextlib.ExitStack() as both:
                inbox = self.open("INBOX")
                both.callback(inbox.close)
                target = self.open(new_name)
                both.callback(target.close)
                inbox.refresh()
                inbox.move(list(inbox.table.uids), target, None)
        except MaildropError:
            self._unmake(self._path(new_name))
            raise

    def _unmake(self, path: str) -> None:
        """Take back a mailbox that was made just now, if it is empty."""
        with contextlib.suppress(OSError):
            if os.path.getsize(path) == 0:
                self._host.disk.unlink(path)

    # -- subscriptions, special use

    def subscriptions(self) -> list[str]:
        """Subscribed names, sorted."""
        return self._subscribed.names()

    def subscribe(self, name: str) -> None:
        """Add to the subscriptions."""
        with translated(f"make {self._folders}"):
            self._make_directories(self._folders)
        self._subscribed.add(name)

    def unsubscribe(self, name: str) -> None:
        """Take from the subscriptions."""
        self._subscribed.remove(name)

    def provide(self, special: Sequence[tuple[str, str]]) -> None:
        """Make the special-use mailboxes, once."""
        if self._special.exists():
            return
        for name, _ in special:
            if self._kind(name) is None:
                self.create(name)
        self._subscribed.add(*[name for name, _ in special])
        self._special.add_all(special)  # last: its being there says that all is done

    def _make_directories(self, path: str) -> None:
        try:
            self._host.disk.make_directories(path)
        except FileExistsError:
            raise StorageFailure(f"{path} is no directory") from None

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
                    mailbox = self.open(entry.name)
                    try:
                        mailbox.refresh()
                    finally:
                        mailbox.close()
        return self._allowance.used(recount=recount)

    def _with_ledgers(self) -> Iterator[str]:
        """The control directories of all mailboxes that there are."""
        yield os.path.join(self._control, "INBOX")
        for directory, below, files in os.walk(self._control):
            below[:] = [name for name in below if name.startswith("=")]
            levels = os.path.relpath(directory, self._control).split(os.sep)
            path = os.path.join(self._folders, *[level[1:] for level in levels])
            if LOG in files and levels[0] != "." and os.path.lexists(path):
                yield directory

    # -- what was expunged

    def keep(self, keeping: Keeping) -> None:
        """From now on keep what is expunged so."""
        self._keep_file.keeping = keeping

    def kept(self) -> list[Kept]:
        """All that can be brought back, the oldest first."""
        return self._kept.all()

    def read_kept(self, kept: Kept) -> bytes | None:
        """The whole message; None when it is no more."""
        return self._keep_file.read(kept)

    def restore(self, kept: Sequence[Kept]) -> list[Restored]:
        """Bring messages back."""
        return self._kept.restore(kept)

    def give_up(self, before: float, octets: int = 0) -> Freed:
        """Remove for good what is kept."""
        return self._keep_file.give_up(before, octets)

    def tidy(self) -> int:
        """An interrupted append is cut off by whoever opens the mailbox."""
        return 0

    def close(self) -> None:
        """Nothing is open."""

r"""Taking over a Maildir with all its folders, in place.

In this file:
    Folder        a mailbox among the directories
    folders       those of a Maildir
    adopt         take one over

The mail files stay where they are; the other server's control files are not touched.
What changes is the end of a file's name where the other server kept flags or keywords
elsewhere: the letters are put there first, and then the ledger is made (``taking``).  A
crash in between leaves names that say what the other server's files say, too.

A message that the facts do not know is left out: the first look at the mailbox gives it
a UID above all others.  A UID without a file is gone.

Folders lie beside each other, a dot before each level (Maildir++).  Dovecot's
``LAYOUT=fs``, directories in directories, is not served; nor are dbox formats.  Folders
whose names are UTF-8 on disk (Courier from version 5, Dovecot's ``UTF-8``) are renamed
to modified UTF-7, as ours are.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from maildrop.durable import translated
from maildrop.errors import MailboxNameInvalid, PermanentError
from maildrop.mailbox.flags import ALL_SYSTEM
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.foreign.taking import Keywords, Placed, Taken, checked, take
from maildrop.storage.index.host import Host
from maildrop.storage.index.table import IndexTable
from maildrop.storage.maildir import folder as directories
from maildrop.storage.maildir.layout import directory_of, name_of
from maildrop.storage.maildir.names import Letters, base_of, sizes
from maildrop.storage.maildir.scan import NEW, split

_NOT_MAILDIR: Final = {
    "mailboxes": "Dovecot's sdbox or mdbox; copy it with doveadm, or import over IMAP",
    "storage": "Dovecot's mdbox; copy it with doveadm, or import over IMAP",
}

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox among the directories.

    Attributes:
        name: Levels joined by "/".
        path: Its directory.
        renamed: The path it has to get before it can be served; empty if none.
    """

    name: str
    path: str
    renamed: str = ""


def folders(root: str) -> list[Folder]:
    """INBOX and the folders of a Maildir, in order of their names.

    Raises:
        PermanentError: It is none, or is laid out in a way that is not served.
    """
    _refuse_other_layouts(root)
    found = [Folder("INBOX", root)]
    with translated(f"list {root}"):
        names = sorted(os.listdir(root))
    for name in names:
        path = f"{root}/{name}"
        if not name.startswith(".") or not os.path.isdir(f"{path}/cur"):
            continue
        if os.path.islink(path):
            continue
        known = name_of(name)
        if known is not None:
            found.append(Folder(known, path))
            continue
        found.append(_in_utf8(root, name))
    return found


def _in_utf8(root: str, directory: str) -> Folder:
    """A folder whose name is not modified UTF-7."""
    name = "/".join(directory[1:].split("."))
    try:
        wanted = directory_of(name)
    except MailboxNameInvalid as error:
        raise PermanentError(
            f"{root}/{directory}: no mailbox can have this name: {error};"
            " rename the directory, or move it out of the Maildir"
        ) from error
    if os.path.lexists(f"{root}/{wanted}"):
        raise PermanentError(
            f"{root}/{directory} and {root}/{wanted} are one name; rename one of them"
        )
    return Folder(name, f"{root}/{directory}", f"{root}/{wanted}")


def _refuse_other_layouts(root: str) -> None:
    for name, why in _NOT_MAILDIR.items():
        if os.path.isdir(f"{root}/{name}") and not os.path.isdir(f"{root}/cur"):
            raise PermanentError(f"{root} is no Maildir: it looks like {why}")
    if not os.path.isdir(f"{root}/cur"):
        raise PermanentError(f"{root} is no Maildir: it has no directory cur")
    nested = list(_nested(root, 2))
    if nested:
        raise PermanentError(
            f"{root} has folders in directories ({nested[0]}), Dovecot's LAYOUT=fs,"
            " which is not served; move each to a name with dots beside the inbox"
            f" ({root}/.{nested[0].replace('/', '.')})"
        )


def _nested(root: str, depth: int, above: str = "") -> Iterator[str]:
    with translated(f"list {root}"), os.scandir(root) as listed:
        entries = [entry for entry in listed if entry.is_dir(follow_symlinks=False)]
    for entry in entries:
        if entry.name in {"cur", "new", "tmp"} or entry.name.startswith("."):
            continue
        if os.path.isdir(f"{entry.path}/cur"):
            yield above + entry.name
        elif depth > 1:
            yield from _nested(entry.path, depth - 1, f"{above}{entry.name}/")


@dataclass(frozen=True, slots=True)
class _File:
    """A message's file, what it is to be called, and what we would call it."""

    uid: int
    base: bytes
    name: bytes
    in_new: int
    wanted: bytes
    usual: bytes
    flags: int
    keywords: int


def adopt(
    folder: Folder,
    facts: Facts | None,
    host: Host,
    new_uid_validity: Callable[[int], int],
    *,
    dry_run: bool,
    accept_loss: bool = False,
    progress: Progress = lambda _: None,
) -> Taken:
    """Take over one mailbox.

    Args:
        folder: Which; has been renamed if it had to be.
        facts: What the other server kept of it; None for nothing.
        host: Disk, clock, lock waits.
        new_uid_validity: Gives a UIDVALIDITY above its argument.
        dry_run: Only say what would be taken over.
        accept_loss: Go on where not everything can be kept.
        progress: Told how many messages are done.

    Raises:
        AlreadyServed: It has a ledger that clients may know.
        PermanentError: Something would be lost.
    """
    if facts is None:
        return Taken(folder.name, "nothing known")
    checked(facts)
    opened = directories.Folder(folder.path)
    try:
        names = Keywords(list(facts.letters))
        files, unknown = _matched(opened, facts, names)
        losses = tuple(facts.losses + names.losses())
        report = Taken(
            folder.name,
            "would be",
            facts.server,
            facts.uid_validity,
            max(facts.uid_next, 1),
            len(files),
            unknown,
            tuple(names.names),
            len(facts.uidls),
            facts.highest_mod_seq,
            losses,
            tuple(facts.remarks),
        )
        if dry_run:
            return report
        if losses and not accept_loss:
            raise PermanentError(
                f"mailbox {folder.name}: " + "; ".join(losses) + "."
                " Give --accept-loss to take over the rest"
            )

        def placed(_: IndexTable) -> tuple[Sequence[Placed], Sequence[str]]:
            again = Keywords(list(facts.letters))
            settled, _unknown = _matched(opened, facts, again)
            rows = [*_settled(opened, settled, host, progress)]
            return rows, again.names

        written = take(folder.path, host, new_uid_validity, facts, placed)
    finally:
        opened.close()
    return replace(report, state="taken over" if written else "was before")


def _matched(
    opened: directories.Folder, facts: Facts, names: Keywords
) -> tuple[list[_File], int]:
    """The files that the facts know, in order of UIDs, and the number of the others."""
    found: dict[int, tuple[bytes, int]] = {}
    given: dict[int, int] = {}
    unknown = 0
    for path in (*opened.list_new(NEW), *opened.list_cur()):
        name, mark = split(path)
        uid = facts.uids.get(base_of(name))
        if uid is None or uid in found:
            unknown += 1
            continue
        found[uid] = name, mark
        if uid in facts.keywords:
            given[uid] = names.bits(facts.keywords[uid])
        elif uid in facts.more_keywords:
            kept = Letters(names.names).parse(name, 0)[1]
            given[uid] = kept | names.bits(facts.more_keywords[uid])
    # Which letter is which keyword is known only now.
    letters = Letters(names.names)
    files = [
        _file(uid, *found[uid], facts.flags.get(uid), given.get(uid), letters)
        for uid in sorted(found)
    ]
    return files, unknown


def _file(
    uid: int,
    name: bytes,
    mark: int,
    given_flags: int | None,
    given_keywords: int | None,
    letters: Letters,
) -> _File:
    """A file, from what its name says and what is given instead of that."""
    base = base_of(name)
    told = letters.parse(name, 0)
    flags = told[0] if given_flags is None else given_flags & ALL_SYSTEM
    keywords = told[1] if given_keywords is None else given_keywords
    wanted, usual = name, base if mark else base + letters.end(flags, keywords)
    if letters.parse(usual, 0)[:2] != told[:2]:
        usual = base + letters.end(flags, keywords)
        wanted = usual + told[2]
        mark = 0
    return _File(uid, base, name, mark, wanted, usual, flags | mark, keywords)


def _settled(
    opened: directories.Folder,
    files: Sequence[_File],
    host: Host,
    progress: Progress,
) -> Iterator[Placed]:
    """Each message, its file called as it is to be."""
    for done, file in enumerate(files, 1):
        facts = opened.facts(file.name, file.in_new)
        if facts is None:
            continue
        in_file, size = sizes(file.base)
        if size is None or in_file != facts.st_size:
            found = opened.read(file.name, file.in_new)
            if found is None:
                continue
            octets = found[0]
            size = len(octets) + octets.count(b"\n") - octets.count(b"\r\n")
        if file.wanted != file.name:
            source, target = opened.fd_of(file.in_new), opened.fd_of(0)
            with translated(f"rename {file.name!r} in {opened.path}"):
                host.disk.rename(file.name, file.wanted, source, target)
        yield Placed(
            file.uid,
            file.base,
            size,
            int(facts.st_mtime),
            file.flags,
            file.keywords,
            b"" if file.wanted == file.usual else file.wanted,
        )
        if not done % 100 or done == len(files):
            progress(done)
    with translated(f"sync {opened.path}"):
        host.disk.synchronize_directory(opened.cur_fd)

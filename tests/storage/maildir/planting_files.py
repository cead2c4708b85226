"""More corruptions of a Maildir; see ``planting``.

In this file:
    CACHE      of the cache
    FILES      of message files
    ACCOUNT    of folders and lists
"""

import os
import shutil
import zlib
from pathlib import Path

from maildrop.storage.findings import Code
from maildrop.storage.maildir.folder import MESSAGE_MAX
from tests.storage.maildir.planting import LONG_AGO, Grounds, Plant


def _cache(grounds: Grounds) -> Path:
    return grounds.root / "maildrop.cache"


def _record(grounds: Grounds, uid: int) -> int:
    with grounds.ledger() as ledger:
        row = ledger.table.row(uid)
        assert row is not None
        return ledger.table.cache[row]


def _wrong_piece(grounds: Grounds) -> None:
    mailbox = grounds.open()
    with mailbox.ledger.locked():
        pieces = mailbox.pieces.cache.records((0,))[0]
        wrong = {key: piece + b"x" for key, piece in pieces.items()}
        wrong[b"DIGEST"] = pieces[b"DIGEST"]
        mailbox.pieces.cache.point([1], mailbox.pieces.cache.append([1], [wrong]))
    mailbox.close()


def _other_record(grounds: Grounds) -> None:
    mailbox = grounds.open()
    with mailbox.ledger.locked():
        mailbox.pieces.cache.point([1], [mailbox.table.cache[1]])
    mailbox.close()


def _other_cache(grounds: Grounds) -> None:
    shutil.copy(grounds.root / ".Work" / "maildrop.cache", _cache(grounds))


CACHE = (
    Plant("the cache is gone", Code.CACHE_UNUSABLE, lambda g: _cache(g).unlink()),
    Plant(
        "a bit of the cache's header is turned over",
        Code.CACHE_UNUSABLE,
        lambda g: g.flip(_cache(g), 18),
    ),
    Plant("the cache is another mailbox's", Code.CACHE_UNUSABLE, _other_cache),
    Plant(
        "a bit of a cached piece is turned over",
        Code.CACHE_RECORD_DAMAGED,
        lambda g: g.flip(_cache(g), _record(g, 3) + 60),
    ),
    Plant(
        "the cache is cut off",
        Code.CACHE_RECORD_DAMAGED,
        lambda g: os.truncate(_cache(g), _record(g, 3) + 10),
    ),
    Plant(
        "a message has the cache record of another one",
        Code.CACHE_RECORD_DAMAGED,
        _other_record,
    ),
    Plant(
        "cached pieces are wrong with a right checksum",
        Code.CACHE_PIECE_WRONG,
        _wrong_piece,
    ),
)


def _rewritten(path: Path, octets: bytes) -> None:
    facts = path.stat()
    path.write_bytes(octets)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _unfinished(grounds: Grounds) -> None:
    """As a crash leaves a COPY after its record was written."""
    path = grounds.file(1)
    name = path.name.partition(":")[0].partition(",")[0]
    before, place, rest = name.partition("V")
    staged = before + "Q" + rest.partition("Q")[2] if place else name
    path.rename(grounds.root / "tmp" / staged)


def _double(grounds: Grounds) -> None:
    path = grounds.file(1)
    shutil.copy2(path, path.with_name(path.name.partition(":")[0] + ":2,T"))


def _link(grounds: Grounds) -> None:
    path = grounds.file(1)
    os.link(path, path.with_name(path.name.partition(":")[0] + ":2,T"))


def _wrong_w(grounds: Grounds) -> None:
    """A message that another program named wrongly."""
    octets = b"Subject: a\n\nb\n"
    name = f"1700000000.M1P1Q1.other,S={len(octets)},W=99"
    (grounds.root / "new" / name).write_bytes(octets)
    mailbox = grounds.open()
    mailbox.read_many(list(mailbox.table.uids))
    mailbox.close()


def _fifo(grounds: Grounds) -> None:
    os.mkfifo(grounds.root / "new" / "1700000001.pipe")


def _large(grounds: Grounds) -> None:
    path = grounds.root / "new" / "1700000002.large"
    path.touch()
    os.truncate(path, MESSAGE_MAX + 1)


FILES = (
    Plant(
        "a message's file is gone behind the directory's times",
        Code.ENTRY_WITHOUT_FILE,
        lambda g: g.quietly(lambda: g.file(2).unlink()),
        loses=(2,),
    ),
    Plant(
        "a message came behind the directory's times",
        Code.FILE_WITHOUT_ENTRY,
        lambda g: g.quietly(
            lambda: (g.root / "new" / "1.a.b").write_bytes(b"Subject: x\n\ny\n")
        ),
        adds=1,
    ),
    Plant(
        "a message was renamed behind the directory's times",
        Code.LEDGER_FLAGS_WRONG,
        lambda g: g.quietly(
            lambda: g.file(1).rename(g.root / "cur" / (g.names()[1] + ":2,DT"))
        ),
    ),
    Plant("a delivery was interrupted", Code.DELIVERY_UNFINISHED, _unfinished),
    Plant(
        "a message's file is cut off",
        Code.MESSAGE_FILE_CHANGED,
        lambda g: _rewritten(g.file(1), g.file(1).read_bytes()[:20]),
        loses=(1,),
    ),
    Plant(
        "a message's file holds another message of the same length",
        Code.MESSAGE_FILE_CHANGED,
        lambda g: _rewritten(g.file(1), g.file(1).read_bytes().swapcase()),
        loses=(1,),
    ),
    Plant(
        "a message's file is empty",
        Code.MESSAGE_EMPTY,
        lambda g: _rewritten(g.file(1), b""),
        loses=(1,),
    ),
    Plant(
        "a message's file is NULs",
        Code.MESSAGE_EMPTY,
        lambda g: _rewritten(g.file(1), bytes(g.file(1).stat().st_size)),
        loses=(1,),
    ),
    Plant(
        "a message's file may not be read",
        Code.MESSAGE_UNREADABLE,
        lambda g: g.file(1).chmod(0o200),
        blocks=True,
    ),
    Plant(
        "a message's file may be changed by everybody",
        Code.WRITABLE_BY_ALL,
        lambda g: g.file(1).chmod(0o666),
    ),
    Plant("a message is too large", Code.MESSAGE_TOO_LARGE, _large),
    Plant("a name tells a wrong size", Code.NAME_SIZE_WRONG, _wrong_w, adds=1),
    Plant(
        "a directory is in cur/",
        Code.FOREIGN_FILE,
        lambda g: (g.root / "cur" / "1.dir:2,S").mkdir(),
    ),
    Plant(
        "a symbolic link is in cur/",
        Code.FOREIGN_FILE,
        lambda g: (g.root / "cur" / "1.link:2,").symlink_to(g.file(1)),
    ),
    Plant("a pipe is in new/", Code.FOREIGN_FILE, _fifo),
    Plant(
        "a file is called by flags alone",
        Code.FOREIGN_FILE,
        lambda g: (g.root / "cur" / ":2,S").write_bytes(b"x\n"),
    ),
    Plant("two files have one base name", Code.NAME_DOUBLED, _double, adds=1),
    Plant("one file has two names", Code.NAME_LINKED_TWICE, _link),
)


def _aged(path: Path) -> Path:
    (path / "cur").mkdir(parents=True)
    (path / "cur" / "1.a.b:2,").write_bytes(b"x\n")
    then = path.stat().st_mtime - LONG_AGO
    os.utime(path, (then, then))
    return path


def _folder(grounds: Grounds, name: str) -> None:
    for part in ("cur", "new", "tmp"):
        (grounds.root / name / part).mkdir(parents=True)


def _linked_folder(grounds: Grounds) -> None:
    shutil.move(grounds.root / ".Work.2024", grounds.root.with_name("elsewhere"))
    (grounds.root / ".Work.2024").symlink_to(grounds.root.with_name("elsewhere"))


def _file_tmp(grounds: Grounds) -> None:
    (grounds.root / "tmp").rmdir()
    (grounds.root / "tmp").touch()


def _quota(grounds: Grounds, *, octets: int = 0) -> Path:
    """As the server leaves the file; some more octets than there are."""
    store = grounds.open_store()
    store.usage(recount=True)
    path = grounds.root / "maildrop.quota"
    first, *lines = path.read_bytes().split(b"\n")[:-2]
    changed = []
    for line in lines:
        numbers = line.split(b" ", 5)
        numbers[3] = b"%d" % (int(numbers[3]) + octets)
        changed.append(b" ".join(numbers))
    body = b"\n".join([first, *changed])
    path.write_bytes(body + b"\n%d\n" % zlib.crc32(body))
    return path


def _keep(grounds: Grounds, name: str, octets: bytes) -> None:
    (grounds.root / "maildrop.kept").mkdir()
    (grounds.root / "maildrop.kept" / name).write_bytes(octets)


def _subscribe(grounds: Grounds, line: bytes) -> None:
    with (grounds.root / "subscriptions").open("ab") as file:
        file.write(line + b"\n")


def _special(grounds: Grounds, line: str) -> None:
    (grounds.root / "maildrop.special-use").write_text(f"Work\t\\Sent\n{line}\n")


def _unreadable_list(grounds: Grounds) -> None:
    (grounds.root / "subscriptions").unlink()
    (grounds.root / "subscriptions").symlink_to("/etc/passwd")


ACCOUNT = (
    Plant(
        "INBOX has no tmp/", Code.MAILDIR_INCOMPLETE, lambda g: (g.root / "tmp").rmdir()
    ),
    Plant(
        "a folder has no cur/",
        Code.MAILDIR_INCOMPLETE,
        lambda g: (g.root / ".Work.2024" / "cur").rmdir(),
    ),
    Plant(
        "tmp/ is a file",
        Code.DIRECTORY_UNUSABLE,
        _file_tmp,
        blocks=True,
    ),
    Plant(
        "new/ may not be written by its owner",
        Code.DIRECTORY_UNUSABLE,
        lambda g: (g.root / "new").chmod(0o500),
    ),
    Plant(
        "cur/ may be written by everybody",
        Code.WRITABLE_BY_ALL,
        lambda g: (g.root / "cur").chmod(0o777),
    ),
    Plant(
        "a folder's name is in UTF-8",
        Code.FOLDER_NAME_INVALID,
        lambda g: _folder(g, ".Entwürfe"),
    ),
    Plant(
        "a folder's name has an empty level",
        Code.FOLDER_NAME_INVALID,
        lambda g: _folder(g, ".Work..2023"),
    ),
    Plant("a folder is a symbolic link", Code.FOLDER_IS_LINK, _linked_folder),
    Plant(
        "a folder is called inbox", Code.FOLDER_HIDDEN, lambda g: _folder(g, ".inbox")
    ),
    Plant(
        "a mailbox that was being made is left over",
        Code.DIRECTORY_LEFT_OVER,
        lambda g: _aged(g.root / "maildrop.creating.1.2.3.4"),
    ),
    Plant(
        "a mailbox that was being removed is left over",
        Code.DIRECTORY_LEFT_OVER,
        lambda g: _aged(g.root / "maildrop.deleted.1.2.3.4"),
    ),
    Plant(
        "a rename was interrupted",
        Code.RENAME_UNFINISHED,
        lambda g: (g.root / "maildrop.renaming").write_text(".Work.2024\t.Old\n"),
    ),
    Plant(
        "the last UIDVALIDITY is no number",
        Code.UID_VALIDITY_FILE_WRONG,
        lambda g: (g.root / "maildrop.uidvalidity").write_text("x\n"),
    ),
    Plant(
        "the last UIDVALIDITY is one of long ago",
        Code.UID_VALIDITY_FILE_WRONG,
        lambda g: (g.root / "maildrop.uidvalidity").write_text("12\n"),
    ),
    Plant(
        "a bit of the quota's use is turned over",
        Code.QUOTA_WRONG,
        lambda g: g.flip(_quota(g), 60),
    ),
    Plant(
        "the quota's use is not what there is",
        Code.QUOTA_WRONG,
        lambda g: _quota(g, octets=7),
    ),
    Plant(
        "a kept message has lost its name",
        Code.KEPT_UNUSABLE,
        lambda g: _keep(g, "lost", b"Subject: x\n\ny\n"),
    ),
    Plant(
        "a kept message is cut off",
        Code.KEPT_UNUSABLE,
        lambda g: _keep(g, "1700000000.1.5.1.99.0.0.1,1.a.b,S=98,W=99", b"Sub"),
    ),
    Plant(
        "a line of the subscriptions is no name",
        Code.SUBSCRIPTION_UNREADABLE,
        lambda g: _subscribe(g, b"Entw\xc3\xbcrfe"),
    ),
    Plant(
        "a subscription is to nothing",
        Code.SUBSCRIPTION_TO_NOTHING,
        lambda g: _subscribe(g, b"Nowhere"),
    ),
    Plant(
        "a mailbox is subscribed to twice",
        Code.SUBSCRIPTION_DOUBLED,
        lambda g: _subscribe(g, b"Work"),
    ),
    Plant("the subscriptions are a link", Code.LIST_UNUSABLE, _unreadable_list),
    Plant(
        "a special use is unknown",
        Code.SPECIAL_USE_WRONG,
        lambda g: _special(g, "Work/2024\t\\Odd"),
    ),
    Plant(
        "a special use is of nothing",
        Code.SPECIAL_USE_OF_NOTHING,
        lambda g: _special(g, "Nowhere\t\\Junk"),
    ),
)

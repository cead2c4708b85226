"""Lists of names, and the last UIDVALIDITY: what accounts of every format have.

In this file:
    examine_subscriptions    lines that name nothing, twice, or what does not exist
    examine_special_use      the same of special uses
    last_uid_validity        the number in the file
    put_uid_validity         puts it to a higher one
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from maildrop.durable import open_to_read, translated
from maildrop.errors import MaildropError
from maildrop.storage.findings import Code, Finding, shown
from maildrop.storage.index.host import Host
from maildrop.storage.index.locks import locked
from maildrop.storage.index.uid_validity import NUMBER_MAX

#: RFC 6154 section 2.
_USES: Final = frozenset(
    {"\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"}
)
#: What ``remove_doubles`` puts right.
SUBSCRIPTION_CODES: Final = frozenset({Code.SUBSCRIPTION_DOUBLED})

#: Each line of a list, and the name in it; None for one that names nothing.
Lines = Callable[[], Sequence[tuple[bytes, str | None]]]
Pairs = Callable[[], Sequence[tuple[bytes, tuple[str, str] | None]]]


def examine_subscriptions(
    lines: Lines, path: str, names: Collection[str]
) -> Iterator[Finding]:
    """What is wrong with subscriptions.

    Args:
        lines: Reads the list.
        path: It, for the findings.
        names: The mailboxes there are.
    """
    try:
        listed = lines()
    except MaildropError as error:
        yield Finding(Code.LIST_UNUSABLE, "", str(error), path, what=path)
        return
    before: set[str] = set()
    for line, name in listed:
        text = f"the line {shown(line)!r}"
        if name is None:
            yield Finding(Code.SUBSCRIPTION_UNREADABLE, "", text, path, what=text)
        elif name in before:
            yield Finding(Code.SUBSCRIPTION_DOUBLED, "", text, path, what=name)
        elif name not in names:
            yield Finding(Code.SUBSCRIPTION_TO_NOTHING, "", text, path, what=name)
        before.add(name or "")


def examine_special_use(
    lines: Pairs, path: str, names: Collection[str]
) -> Iterator[Finding]:
    """What is wrong with special uses; see ``examine_subscriptions``."""
    try:
        listed = lines()
    except MaildropError as error:
        yield Finding(Code.LIST_UNUSABLE, "", str(error), path, what=path)
        return
    for line, pair in listed:
        text = f"the line {shown(line)!r}"
        if pair is None or not is_special_use(pair):
            yield Finding(Code.SPECIAL_USE_WRONG, "", text, path, what=text)
        elif pair[0] not in names:
            yield Finding(Code.SPECIAL_USE_OF_NOTHING, "", text, path, what=pair[0])


def is_special_use(pair: tuple[str, str]) -> bool:
    """Whether what is said of a name is a special use."""
    return pair[1] in _USES


def last_uid_validity(path: str) -> int | None:
    """The number in the file, 0 if there is none; None if it is no number."""
    try:
        fd = open_to_read(path)
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    try:
        digits = os.read(fd, 16).strip()
    finally:
        os.close(fd)
    return int(digits) if digits.isdigit() and int(digits) <= NUMBER_MAX else None


def put_uid_validity(path: str, least: int, host: Host) -> None:
    """Put the number in the file to ``least``, if it is not higher."""
    with locked(f"{path}.lock", host), translated(f"write {path}"):
        value = max(last_uid_validity(path) or 0, least)
        host.disk.replace_file(path, b"%d\n" % value)

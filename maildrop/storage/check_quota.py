"""Whether what is remembered of a quota's use is so.

In this file:
    examine_quota    the file ``maildrop.quota`` against the ledgers
    forget_quota     removes it, so that everything is counted again

``index.allowance`` has the format.  A line counts only while the ledger is in the state
that it names, so nothing else has to be right.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from typing import Final

from maildrop.durable import Disk, open_to_read, translated
from maildrop.storage.findings import Code, Finding, shown
from maildrop.storage.index.totals import Mark, mark_of, peek

QUOTA: Final = "maildrop.quota"
_FIRST: Final = b"mdquota 1 "
_OCTETS_MAX: Final = 1 << 22


def examine_quota(directory: str) -> Iterator[Finding]:
    """What is wrong with the file in a directory.

    Args:
        directory: Where the file is.
    """
    path = f"{directory}/{QUOTA}"
    try:
        with open(open_to_read(path), "rb") as file:
            octets = file.read(_OCTETS_MAX)
    except FileNotFoundError:
        return
    except OSError as error:
        evidence = error.strerror or str(error)
        yield Finding(Code.LIST_UNUSABLE, "", evidence, path, what=path)
        return
    body, _, crc = octets.rstrip(b"\n").rpartition(b"\n")
    if not crc.isdigit() or int(crc) != zlib.crc32(body):
        evidence = f"{len(octets)} octets fail their checksum"
        yield Finding(Code.QUOTA_WRONG, "", evidence, path)
    elif body.startswith(_FIRST):
        for line in body.split(b"\n")[1:]:
            evidence = _wrong(line)
            if evidence:
                yield Finding(Code.QUOTA_WRONG, "", evidence, path, what=evidence)


def _wrong(line: bytes) -> str:
    """What is wrong with a line; empty when nothing is."""
    *numbers, name = line.split(b" ", 5)
    if len(numbers) != 5 or not all(number.isdigit() for number in numbers):
        return f"a line says nothing: {shown(line)!r}"
    inode, size, changed, octets, messages = map(int, numbers)
    directory, mark = os.fsdecode(name), Mark(inode, size, changed)
    if mark_of(directory) != mark:
        return ""
    found = peek(directory)
    if found is None or found[0] != mark:
        return ""
    if (found[1].octets, found[1].messages) == (octets, messages):
        return ""
    return (
        f"{octets} octets in {messages} messages are remembered of {shown(directory)}, "
        f"there are {found[1].octets} in {found[1].messages}"
    )


def forget_quota(directory: str, disk: Disk) -> None:
    """Remove the file: it is made anew when a quota matters."""
    path = f"{directory}/{QUOTA}"
    with contextlib.suppress(FileNotFoundError), translated(f"remove {path}"):
        disk.unlink(path)

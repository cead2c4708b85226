r"""``dovecot-uidlist``: the UIDs of a Maildir, versions 1 and 3.

In this file:
    Uidlist         the file
    Entry           a message of it
    parse           the file from its octets
    bytes(uidlist)  its octets, version 3

Format:

    version 1    "1" SP uidvalidity SP uidnext LF *(uid SP name LF)
    version 3    "3" *(SP key value) LF *(uid *(SP key value) SP ":" name LF)

Keys are one octet, values go up to the next space.  Of the header: ``V`` UIDVALIDITY,
``N`` UIDNEXT, ``G`` the mailbox's GUID.  Of a message: ``W`` its size with CRLF line
ends, ``S`` its size, ``P`` its POP3 unique id, ``O`` its place in POP3, ``G`` its GUID.
Keys that are not known are kept.  Names are file names without flags.  ``N`` is not
written anew when lines are appended, so UIDNEXT may follow from the last line.

A file that was expunged and came back may be named twice: the later line counts.

Courier's ``courierimapuiddb`` is of version 1.

Errors: ``Unreadable`` with file and line.

Limits: ``facts.OCTETS_MAX`` for the file, ``facts.LINE_MAX`` for a line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from maildrop.storage.foreign.facts import LINE_MAX, Unreadable, number

FILE: Final = "dovecot-uidlist"
LOCK: Final = "dovecot-uidlist.lock"

Fields = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message.

    Attributes:
        uid: Its UID.
        name: Its file's name, without flags.
        fields: Key -> value.
    """

    uid: int
    name: bytes
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Uidlist:
    """The file.

    Attributes:
        uid_validity: RFC 3501 section 2.3.1.1.
        uid_next: Above all UIDs given away.
        entries: The messages, in order of their UIDs.
        fields: Of the header, beside ``V`` and ``N``.
    """

    uid_validity: int
    uid_next: int
    entries: tuple[Entry, ...] = ()
    fields: Fields = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        header = {b"V": b"%d" % self.uid_validity, b"N": b"%d" % self.uid_next}
        lines = [b"3 " + _written({**header, **self.fields})]
        for entry in self.entries:
            fields = _written(entry.fields)
            gap = b" " if fields else b""
            lines.append(b"%d %b%b:%b" % (entry.uid, fields, gap, entry.name))
        return b"\n".join(lines) + b"\n"


def _written(fields: Fields) -> bytes:
    return b" ".join([key + value for key, value in fields.items()])


def parse(octets: bytes, path: str) -> Uidlist:
    """The file.

    Args:
        octets: What it holds.
        path: Its name, for errors.

    Raises:
        Unreadable: It breaks the grammar.
    """
    lines = octets.split(b"\n")
    lines.pop()  # what follows the last line end: a line that was not finished
    if not lines:
        raise Unreadable(f"{path} is empty")
    header = lines[0]
    match header[:2]:
        case b"1 ":
            numbers = header[2:].split()
            if len(numbers) != 2:
                raise Unreadable(f"{path}, line 1: no UIDVALIDITY and UIDNEXT")
            fields = {b"V": numbers[0], b"N": numbers[1]}
        case b"3 ":
            fields = _fields(header[2:].split(b" "))
        case _:
            said = header[:40]
            raise Unreadable(f"{path}, line 1: neither version 1 nor 3: {said!r}")
    uid_validity = number(fields.pop(b"V", b""), f"{path}, line 1: UIDVALIDITY")
    uid_next = number(fields.pop(b"N", b""), f"{path}, line 1: UIDNEXT")
    entries = _entries(lines[1:], extended=header.startswith(b"3"), path=path)
    if entries:
        uid_next = max(uid_next, entries[-1].uid + 1)
    return Uidlist(uid_validity, uid_next, entries, fields)


def _fields(words: Iterable[bytes]) -> dict[bytes, bytes]:
    return {word[:1]: word[1:] for word in words if word}


def _entries(lines: list[bytes], *, extended: bool, path: str) -> tuple[Entry, ...]:
    found: dict[bytes, Entry] = {}
    last = 0
    for at, line in enumerate(lines, 2):
        entry = _entry(line, f"{path}, line {at}", extended=extended)
        if entry.uid <= last:
            raise Unreadable(f"{path}, line {at}: UID {entry.uid} follows UID {last}")
        last = entry.uid
        found.pop(entry.name, None)
        found[entry.name] = entry
    return tuple(found.values())


def _entry(line: bytes, where: str, *, extended: bool) -> Entry:
    if len(line) > LINE_MAX:
        raise Unreadable(f"{where} is longer than {LINE_MAX} octets")
    digits, _, rest = line.partition(b" ")
    uid = number(digits, f"{where}: the UID")
    fields: dict[bytes, bytes] = {}
    name = rest.strip(b" ")
    if extended:
        if not rest.startswith(b":"):
            words, _, name = rest.partition(b" :")
            fields = _fields(words.split(b" "))
        else:
            name = rest[1:]
    name = name.partition(b":2,")[0]
    if not name or b"/" in name or b"\0" in name:
        raise Unreadable(f"{where}: no file can be called {name[:80]!r}")
    return Entry(uid, name, fields)

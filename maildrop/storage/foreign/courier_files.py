r"""The files of courier-imap and courier-pop3d in a Maildir, each by itself.

In this file:
    UidDb            ``courierimapuiddb``: UIDs
    SizeList         ``courierpop3dsizelist``: sizes and unique ids of POP3
    Sized            a message of it
    parse_uids       the first, from its octets
    parse_sizes      the second
    parse_keywords   ``courierimapkeywords/:list``
    keyword_lines    a file of ``courierimapkeywords/`` that is newer than the list
    subscribed       ``courierimapsubscribed``
    written_name     a line of it
    written_keywords ``courierimapkeywords/:list``, to be written

Formats (a name is a file name without flags):

    courierimapuiddb           "1" SP uidvalidity SP uidnext LF *(uid SP name LF)
    courierpop3dsizelist       "/" version [SP next [SP validity]] LF
                               *(name SP size [SP id] LF)
                 version 2     id is number ":" validity
                 version 3     id is number ":" validity ":" whether-8-bit
    courierimapkeywords/:list  *(keyword LF) LF *(name ":" *(number SP) LF)
    courierimapsubscribed      *("INBOX" *("." level) LF)

POP3's numbers are others than the UIDs of IMAP.  The unique id is ``UIDn-v`` for number
and validity, ``UIDn`` where the validity is 0, and the name where the number is 0, with
``+`` and two hexadecimal digits for what POP3 does not allow and for ``'``, ``"`` and
``+``.

In ``courierimapkeywords/`` a file with a message's name, or that name behind ``.N.``,
has the message's keywords, a line each, and is newer than the list; of several, the one
without number is the newest, then the one with the largest.

Errors: ``Unreadable`` with file and line.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from maildrop.imap.wire.mailbox_name import encode
from maildrop.mailbox.flags import is_keyword
from maildrop.storage.foreign.facts import LINE_MAX, Unreadable, number

UIDS: Final = "courierimapuiddb"
SIZES: Final = "courierpop3dsizelist"
KEYWORDS: Final = "courierimapkeywords"
KEYWORD_LIST: Final = ":list"
SUBSCRIBED: Final = "courierimapsubscribed"
KEYWORDS_MAX: Final = 4096
_PLAIN: Final = frozenset(range(0x21, 0x7F)) - frozenset(b"'\"+")
_LAST_KNOWN: Final = 3
#: Every Courier of the last twenty years reads this one; it says nothing of octets
#: above 127, which we do not know.
_WRITTEN: Final = 2


@dataclass(frozen=True, slots=True)
class UidDb:
    """UIDs of a Maildir.

    Attributes:
        uid_validity: RFC 3501 section 2.3.1.1.
        uid_next: Above all UIDs given away.
        uids: By name.
    """

    uid_validity: int
    uid_next: int
    uids: Mapping[bytes, int] = field(default_factory=dict)

    def __bytes__(self) -> bytes:
        lines = [b"1 %d %d\n" % (self.uid_validity, self.uid_next)]
        lines += [b"%d %b\n" % (uid, name) for name, uid in self.uids.items()]
        return b"".join(lines)


@dataclass(frozen=True, slots=True)
class Sized:
    """What POP3 knows of a message.

    Attributes:
        name: Its file's name, without flags.
        size: Octets with CRLF line ends.
        number: See above; 0 for none.
        validity: Likewise.
        eight_bit: Its header has octets above 127.
    """

    name: bytes
    size: int
    number: int = 0
    validity: int = 0
    eight_bit: bool = False

    @property
    def unique_id(self) -> bytes:
        """As UIDL tells it."""
        if not self.number:
            return plain(self.name)
        if not self.validity:
            return b"UID%d" % self.number
        return b"UID%d-%d" % (self.number, self.validity)


def plain(name: bytes) -> bytes:
    """A name as a unique id."""
    if all(octet in _PLAIN for octet in name):
        return name
    parts = (bytes([o]) if o in _PLAIN else b"+%02X" % o for o in name)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class SizeList:
    """Messages as POP3 knows them.

    Attributes:
        next_number: Above all numbers given away.
        validity: Given to the next message.
        messages: All of them.
    """

    next_number: int
    validity: int
    messages: Sequence[Sized] = ()

    def __bytes__(self) -> bytes:
        lines = [b"/%d %d %d\n" % (_WRITTEN, self.next_number, self.validity)]
        lines += [
            # Names are compared up to the colon, which has to be there.
            b"%b:2, %d %d:%d\n" % (one.name, one.size, one.number, one.validity)
            for one in self.messages
        ]
        return b"".join(lines)


def _lines(octets: bytes, path: str) -> list[bytes]:
    """The whole lines of a file."""
    lines = octets.split(b"\n")
    lines.pop()
    for at, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            raise Unreadable(f"{path}, line {at} is longer than {LINE_MAX} octets")
    return lines


def _name(octets: bytes, where: str) -> bytes:
    name = octets.partition(b":2,")[0]
    if not name or b"/" in name or b"\0" in name:
        raise Unreadable(f"{where}: no file can be called {name[:80]!r}")
    return name


def parse_uids(octets: bytes, path: str) -> UidDb:
    """``courierimapuiddb``.

    Raises:
        Unreadable: It breaks the grammar, or gives a UID twice.
    """
    lines = _lines(octets, path)
    words = lines[0].split() if lines else []
    if len(words) != 3 or words[0] != b"1":
        raise Unreadable(f"{path}, line 1: no version 1 with UIDVALIDITY and UIDNEXT")
    validity = number(words[1], f"{path}, line 1: UIDVALIDITY")
    uid_next = number(words[2], f"{path}, line 1: UIDNEXT")
    uids: dict[bytes, int] = {}
    given: set[int] = set()
    for at, line in enumerate(lines[1:], 2):
        digits, _, rest = line.partition(b" ")
        uid = number(digits, f"{path}, line {at}: the UID")
        if uid in given:
            raise Unreadable(f"{path}, line {at}: UID {uid} is given twice")
        given.add(uid)
        uids[_name(rest, f"{path}, line {at}")] = uid
    return UidDb(validity, max(uid_next, max(given, default=0) + 1), uids)


def parse_sizes(octets: bytes, path: str) -> SizeList:
    """``courierpop3dsizelist``.

    Raises:
        Unreadable: It breaks the grammar, or is of a version that is not known.
    """
    lines = _lines(octets, path)
    words = lines[0].split() if lines else []
    if not words or not words[0].startswith(b"/"):
        # Versions before the first with a number: names and sizes alone.
        return SizeList(1, 0, _sized(lines, 0, path, 1))
    version = number(words[0][1:], f"{path}, line 1: the version")
    if version > _LAST_KNOWN:
        raise Unreadable(f"{path}, line 1: version {version} is not known")
    given = [number(word, f"{path}, line 1", 0) for word in words[1:3]]
    next_number, validity = (*given, 1, 0)[:2] if len(given) < 2 else given
    messages = _sized(lines[1:], version, path, 2)
    highest = max((one.number for one in messages), default=0)
    return SizeList(max(next_number, highest + 1), validity, messages)


def _sized(lines: Iterable[bytes], version: int, path: str, first: int) -> list[Sized]:
    found = []
    for at, line in enumerate(lines, first):
        where = f"{path}, line {at}"
        words = line.rsplit(b" ", 2 if version else 1)
        if len(words) != (3 if version else 2):
            raise Unreadable(f"{where}: no name and size: {line[:80]!r}")
        size = number(words[1], f"{where}: the size", 0)
        numbers = words[2].split(b":") if version else []
        given = [number(word, f"{where}: the unique id", 0) for word in numbers[:3]]
        n, validity, eight = (*given, 0, 0, 0)[:3]
        found.append(Sized(_name(words[0], where), size, n, validity, bool(eight)))
    return found


def parse_keywords(octets: bytes, path: str) -> dict[bytes, tuple[str, ...]]:
    """``courierimapkeywords/:list``: keywords by name.

    Raises:
        Unreadable: It breaks the grammar.
    """
    lines = _lines(octets, path)
    end = lines.index(b"") if b"" in lines else len(lines)
    if end > KEYWORDS_MAX:
        raise Unreadable(f"{path}: more than {KEYWORDS_MAX} keywords")
    names = [line.decode("ascii", "replace") for line in lines[:end]]
    found = {}
    for at, line in enumerate(lines[end + 1 :], end + 2):
        name, _, numbers = line.rpartition(b":")
        try:
            kept = tuple(names[int(digits)] for digits in numbers.split())
        except (ValueError, IndexError):
            raise Unreadable(f"{path}, line {at}: no such keywords") from None
        found[_name(name, f"{path}, line {at}")] = tuple(filter(is_keyword, kept))
    return found


def keyword_lines(octets: bytes) -> tuple[str, ...]:
    """The keywords in a message's own file of ``courierimapkeywords/``."""
    names = (line.decode("ascii", "replace") for line in octets.split(b"\n"))
    return tuple(filter(is_keyword, names))


def written_keywords(keywords: Mapping[bytes, Sequence[str]]) -> bytes:
    """The octets of ``courierimapkeywords/:list``.

    Args:
        keywords: By name; messages without any are left out.
    """
    names = list(dict.fromkeys(n for some in keywords.values() for n in some))
    places = {name: at for at, name in enumerate(names)}
    lines = [name.encode("ascii") for name in names] + [b""]
    for name, some in keywords.items():
        if some:
            numbers = b" ".join([b"%d" % places[keyword] for keyword in some])
            lines.append(b"%b:%b" % (name, numbers))
    return b"\n".join(lines) + b"\n"


def subscribed(octets: bytes) -> list[bytes]:
    """``courierimapsubscribed``: the lines of mailboxes, without the first level.

    Other namespaces (``shared.``) are left out; INBOX itself is ``b""``.
    """
    found = []
    for line in octets.split(b"\n"):
        first, _, rest = line.strip(b"\r").partition(b".")
        if first.upper() == b"INBOX":
            found.append(rest)
    return found


def written_name(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox's name as a line of ``courierimapsubscribed``.

    Args:
        name: Levels joined by "/".
        utf8: As Courier has names from version 5 on; else modified UTF-7.
    """
    if name == "INBOX":
        return b"INBOX"
    levels = name.split("/")
    coded = [level.encode() if utf8 else encode(level) for level in levels]
    return b".".join([b"INBOX", *coded])

r"""The mbox format: where messages begin, what belongs to them, how they are written.

In this file:
    messages         the messages of a file, as offsets
    visible          a message as its sender wrote it, CRLF line ends
    metadata         the flags that header fields of an mbox hold
    stored_form      a message as it is put into an mbox

The file is a row of messages, each introduced by a From_ line:

    From alice@example.org Thu Jan  1 12:34:56 2026
    Status: RO
    X-Status: F
    Subject: ...

    body, in which lines of any number of ">" and "From " got one ">" more

    From ...

The dirty world:

*Where does a message begin?*  At a line "From " with a date in one of the forms that
deliverers write, after a blank line or the start of the file.  Some programs leave out
the blank line; then the next line has to look like a header field.  Content-Length is
distrusted: it goes stale with the first edit, and believing it lets a sender hide one
message in another.

*Quoting.*  Read: mboxo and mboxrd alike lose one ">"; mboxcl2, which quotes nothing, is
read right but for its own ">From " lines, which cannot be told apart.  Written: mboxrd,
which can be undone.  Header lines are quoted as body lines are: nothing may look like
the beginning of a message.

*Header fields of the file, not of the message.*  Status, X-Status, X-Keywords, X-UID,
X-IMAPbase, X-IMAP, Content-Length and Lines speak of the place in the file; they are
hidden from readers, as every IMAP server does (but with Lines: mutt 2.2 and neomutt put
it into every message of a file that they write, and take away one that was there; if it
were shown, each of them would be another message then).  A sender may have written
fields of the same names: these are renamed ``X-Mbox-Quoted-...`` on the way in and back
on the way out, so that octets in are octets out and no sender sets the flags of his own
mail.

*Room.*  Our own messages begin with padded Status fields, so that flags can be written
in place without moving the rest of the file.

*Line ends.*  LF, but for a message that contains CR CR LF: it keeps its CRLF line ends,
because it could not be restored otherwise.  CRLF files are read as they are.  A message
that does not end with a line end gets one, and a field that says so.
"""

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from typing import Final

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

Octets = bytes | mmap

_DAY: Final = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH: Final = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME: Final = rb"\d\d?:\d\d(?::\d\d)?"
_ASCTIME: Final = (
    _DAY + rb",? +" + _MONTH + rb" +\d\d? +" + _TIME + rb"[^\r\n]{0,40}? \d{4}"
)
_RFC5322: Final = _DAY + rb", +\d\d? +" + _MONTH + rb" +\d{4} +" + _TIME
#: A From_ line with a date as asctime(3) writes it, with or without zone and seconds,
#: or as RFC 5322 writes it.
FROM_LINE: Final = re.compile(
    rb"From [^\r\n]{0,1000}?"
    rb"(?:" + _ASCTIME + rb"|" + _RFC5322 + rb")[^\r\n]{0,200}\r?\n"
)
_CANDIDATE: Final = re.compile(rb"\nFrom ")
_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}:")
# All patterns for lines begin with the line end before: a literal octet is found a
# hundred times faster than "^".  Octets are searched with a line end put in front.
_QUOTED_FROM: Final = re.compile(rb"\n>(>*From )")
_FROM: Final = re.compile(rb"\n(>*From )")
_NAMES: Final = (
    rb"(?:[Ss]tatus|STATUS|[Xx]-(?:[Ss]tatus|STATUS|[Kk]eywords|KEYWORDS|[Uu][Ii][Dd]"
    rb"|[Ii][Mm][Aa][Pp](?:[Bb]ase)?)|[Cc]ontent-[Ll]ength|CONTENT-LENGTH"
    rb"|[Ll]ines|LINES|X-Mbox-Unterminated)"
)
#: Dovecot folds long lists of keywords.  The other fields are never folded, and one of
#: them stands last among ours: what follows is the message's, whatever it begins with.
_LISTS: Final = rb"[Xx]-(?:[Kk]eywords|KEYWORDS|[Ii][Mm][Aa][Pp](?:[Bb]ase)?)"
_METADATA: Final = re.compile(
    rb"\n(?:(?=" + _LISTS + rb":)([^\n:]+):([^\n]*(?:\n[ \t][^\n]*)*)"
    rb"|(" + _NAMES + rb"):([^\n]*))(?=\n|\Z)"
)
_TO_QUOTE: Final = re.compile(rb"\n((?:X-Mbox-Quoted-)*" + _NAMES + rb":)")
_TO_UNQUOTE: Final = re.compile(
    rb"\nX-Mbox-Quoted-((?:X-Mbox-Quoted-)*" + _NAMES + rb":)"
)

#: Octets of lines that are changed in one go.
_PIECE: Final = 1 << 20

#: Letters of Status and X-Status (mutt, pine, Dovecot) and the flags they stand for.
STATUS_FLAGS: Final[dict[int, int]] = {
    ord("R"): SEEN,
    ord("A"): ANSWERED,
    ord("F"): FLAGGED,
    ord("T"): DRAFT,
    ord("D"): DELETED,
}
#: Octets of padding in fields of our own messages: room for letters and keywords.
STATUS_ROOM: Final = 4
KEYWORDS_ROOM: Final = 64


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the fields of the file say of a message.

    Attributes:
        flags: System flags as bits.
        old: A program has seen it (Status O).
        keywords: Keyword names.
        unterminated: The message itself does not end with a line end.
    """

    flags: int = 0
    old: bool = False
    keywords: tuple[str, ...] = ()
    unterminated: bool = False


def messages(octets: Octets, start: int = 0) -> "array[int]":
    """Offsets of the From_ lines at ``start`` and after.

    Args:
        octets: The file, or a part that begins with a From_ line.
        start: Where to begin: the place of a From_ line.
    """
    found = array("Q")
    if octets[start : start + 5] != b"From ":
        return found
    found.append(start)
    for candidate in _CANDIDATE.finditer(octets, start):
        at = candidate.start() + 1
        line = FROM_LINE.match(octets, at)
        if line is None:
            continue
        blank = octets[max(at - 4, 0) : at].replace(b"\r", b"").endswith(b"\n\n")
        if blank or _FIELD.match(octets, line.end()):
            found.append(at)
    return found


def begins_message(octets: Octets, at: int) -> bool:
    """Whether a From_ line stands at ``at``."""
    return octets[at : at + 5] == b"From "


def content(raw: bytes) -> bytes:
    """What lies between the From_ line and the blank line that ends the message.

    A last line without a line end, as the end of a file may have it, gets one.
    """
    begin = raw.find(b"\n") + 1
    if not begin:
        return b""
    if raw.endswith(b"\n\n"):
        return raw[begin:-1]
    if raw.endswith(b"\n\r\n"):
        return raw[begin:-2]
    return raw[begin:] if raw.endswith(b"\n") else raw[begin:] + b"\n"


def split_header(stored: bytes) -> int:
    """Where the header ends: after the line end of its last field."""
    if stored.startswith((b"\n", b"\r\n")):
        return 0
    end = stored.find(b"\n\n") + 1 or len(stored)
    return stored.find(b"\n\r\n", 0, end) + 1 or end


def metadata(stored: bytes) -> Metadata:
    """The flags that the fields of a stored message give."""
    flags = 0
    old = unterminated = False
    keywords: list[str] = []
    for found in _METADATA.finditer(b"\n" + stored[: split_header(stored)]):
        name, value = found.group(1, 2) if found[1] else found.group(3, 4)
        match name.lower():
            case b"status" | b"x-status":
                for letter in value:
                    flags |= STATUS_FLAGS.get(letter, 0)
                old = old or (name.lower() == b"status" and b"O" in value)
            case b"x-keywords":
                keywords += value.decode("ascii", "ignore").split()
            case b"x-mbox-unterminated":
                unterminated = True
    return Metadata(flags, old, tuple(keywords), unterminated)


def has_metadata(header: bytes) -> bool:
    """Whether a header has fields that speak of the file."""
    return _METADATA.search(b"\n" + header) is not None


def _without_metadata(header: bytes) -> bytes:
    return _METADATA.sub(b"", b"\n" + header)[1:]


def visible(stored: bytes) -> bytes:
    """A message as readers get it, from what ``content`` gives."""
    end = split_header(stored)
    header = stored[:end]
    unterminated = b"\nX-Mbox-Unterminated:" in b"\n" + header
    header = _without_metadata(header)
    if b"X-Mbox-Quoted-" in header:
        header = _TO_UNQUOTE.sub(rb"\n\1", b"\n" + header)[1:]
    whole = _in_pieces(header + stored[end:], _as_sent)
    return whole[:-2] if unterminated else whole


def visible_header(stored: bytes) -> bytes | None:
    """The header with its empty line, as readers get it.

    Args:
        stored: What ``content`` gives for a message, or for what one begins with.

    Returns:
        None when it is not in there whole, or tells only with the rest what it says.
    """
    end = split_header(stored)
    # The last octets may have been put there by ``content``.
    if end > len(stored) - 3 or b"X-Mbox-Unterminated:" in stored[:end]:
        return None
    return visible(stored[:end] + b"\n")


def _as_sent(lines: bytes) -> bytes:
    if b">From " in lines:
        lines = _QUOTED_FROM.sub(rb"\n\1", b"\n" + lines)[1:]
    if b"\r\n" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    return lines.replace(b"\n", b"\r\n")


def _in_pieces(octets: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change whole lines; of a large message some at a time.

    A call into C holds all other threads up until it returns.
    """
    if len(octets) <= _PIECE:
        return change(octets)
    changed, at = [], 0
    while at < len(octets):
        end = octets.find(b"\n", at + _PIECE) + 1 or len(octets)
        changed.append(change(octets[at:end]))
        at = end
    return b"".join(changed)


def status_fields(
    flags: int, keywords: tuple[str, ...], *, old: bool, unterminated: bool
) -> bytes:
    """The fields of the file for a message, with room to change them in place."""
    status = (b"R" if flags & SEEN else b"") + (b"O" if old else b"")
    letters = bytes(
        letter for letter, flag in STATUS_FLAGS.items() if flags & flag and flag != SEEN
    )
    names = " ".join(keywords).encode("ascii")
    fields = b"X-Keywords: %b\nStatus: %b\nX-Status: %b\n" % (
        names.ljust(KEYWORDS_ROOM),
        status.ljust(STATUS_ROOM),
        letters.ljust(STATUS_ROOM),
    )
    return fields + (b"X-Mbox-Unterminated: yes\n" if unterminated else b"")


def with_status(stored: bytes, fields: bytes) -> bytes:
    """A stored message with its status fields replaced."""
    end = split_header(stored)
    return fields + _without_metadata(stored[:end]) + stored[end:]


def stored_form(octets: bytes, fields: bytes) -> bytes:
    """What goes between From_ line and blank line.

    Args:
        octets: The message, CRLF line ends.
        fields: What ``status_fields`` gives.
    """
    starts = range(0, len(octets), _PIECE)
    if all(octets.find(b"\r\r\n", at, at + _PIECE + 2) < 0 for at in starts):
        octets = _in_pieces(octets, _with_lf)
    end = split_header(octets)
    header = _TO_QUOTE.sub(rb"\nX-Mbox-Quoted-\1", b"\n" + octets[:end])[1:]
    whole = _in_pieces(header + octets[end:], _quoted)
    if whole.endswith(b"\n"):
        return fields + whole
    return fields + whole + (b"\r\n" if whole.endswith(b"\r") else b"\n")


def _with_lf(lines: bytes) -> bytes:
    return lines.replace(b"\r\n", b"\n")


def _quoted(lines: bytes) -> bytes:
    if b"From " in lines:
        return _FROM.sub(rb"\n>\1", b"\n" + lines)[1:]
    return lines


def from_line(sender: bytes, asctime: bytes) -> bytes:
    """A From_ line.

    Args:
        sender: The reverse-path; empty for the null sender.
        asctime: ``Thu Jan  1 12:34:56 2026``, in UTC.
    """
    name = bytes(octet for octet in sender if octet > 32 and octet != 127)
    return b"From %b %b\n" % (name or b"MAILER-DAEMON", asctime)

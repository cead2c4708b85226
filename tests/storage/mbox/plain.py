"""An mbox as other programs see it: read and written without any code of the store.

In this file:
    Stored      one message in the file
    parse       the messages of a file
    with_flags  a message as a mail reader writes it back
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

LETTERS: Final = {"R": SEEN, "A": ANSWERED, "F": FLAGGED, "T": DRAFT, "D": DELETED}
FROM: Final = b"From a@example.org Thu Jan  1 12:34:56 2026\n"
_FROM_LINE: Final = re.compile(
    rb"^From [^\r\n]* \d\d:\d\d:\d\d \d{4}\r?\n", re.MULTILINE
)
_FILE_FIELDS: Final = (
    b"status",
    b"x-status",
    b"x-keywords",
    b"x-uid",
    b"x-imapbase",
    b"x-imap",
    b"content-length",
    b"lines",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One message.

    Attributes:
        raw: From_ line to blank line.
        content: As readers should get it, CRLF line ends.
        flags: What Status and X-Status say.
        keywords: What X-Keywords says.
        pseudo: It holds the data of UW's tools.
    """

    raw: bytes
    content: bytes
    flags: int
    keywords: frozenset[str]
    pseudo: bool


def parse(octets: bytes) -> list[Stored]:
    """The messages of a file."""
    starts = [found.start() for found in _FROM_LINE.finditer(octets)]
    ends = [*starts[1:], len(octets)] if starts else []
    found = [_stored(octets[a:b]) for a, b in zip(starts, ends, strict=True)]
    return [each for at, each in enumerate(found) if at == 0 or not each.pseudo]


def _stored(raw: bytes) -> Stored:
    text = raw.replace(b"\r\n", b"\n").partition(b"\n")[2]
    if text.endswith(b"\n\n"):
        text = text[:-1]
    if text and not text.endswith(b"\n"):
        text = text.removesuffix(b"\r") + b"\n"
    header, blank, body = (b"", b"\n", text[1:])
    if not text.startswith(b"\n"):
        header, blank, body = text.partition(b"\n\n")
        header, blank = header + blank[:1], blank[1:]
    shown, flags, keywords, pseudo = [], 0, set(), False
    for line in header.splitlines(keepends=True):
        name, colon, value = line.decode().partition(":")
        if not colon or name.lower().encode() not in _FILE_FIELDS:
            shown.append(line)
        elif name in {"Status", "X-Status"}:
            flags |= sum(LETTERS.get(letter, 0) for letter in set(value))
        elif name == "X-Keywords":
            keywords.update(value.split())
        elif name == "X-IMAP":
            pseudo = b"Subject: DON'T DELETE THIS MESSAGE" in header
    message = re.sub(rb"(?m)^>(>*From )", rb"\1", b"".join(shown) + blank + body)
    content = message.replace(b"\n", b"\r\n")
    return Stored(raw, content, flags, frozenset(keywords), pseudo)


def with_flags(raw: bytes, flags: int, keywords: Iterable[str]) -> bytes:
    """A message as mutt writes it: its own fields at the end of the header."""
    line, _, text = raw.replace(b"\r\n", b"\n").partition(b"\n")
    if text.startswith(b"\n"):
        header, body = b"", text
    else:
        header, _, rest = text.partition(b"\n\n")
        header, body = header + b"\n", b"\n" + rest
    kept = [
        each
        for each in header.splitlines(keepends=True)
        if each.partition(b":")[0].lower() not in _FILE_FIELDS
        or each.lower().startswith((b"x-imap", b"x-uid"))
    ]
    letters = "".join(x for x, bit in LETTERS.items() if flags & bit and x != "R")
    fields = "Status: " + ("RO" if flags & SEEN else "O") + "\n"
    fields += f"X-Status: {letters}\n" if letters else ""
    names = " ".join(sorted(keywords))
    fields += f"X-Keywords: {names}\n" if names else ""
    length = f"Content-Length: {len(body)}\nLines: {body.count(10)}\n"
    return b"%b\n%b%b%b" % (line, b"".join(kept), (fields + length).encode(), body)

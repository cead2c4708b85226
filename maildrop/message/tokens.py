r"""The words of structured header fields: atoms, quoted strings, comments, tokens.

In this file:
    Ahead       what a step of the reader found behind it
    Reader      goes over one field value from left to right

Grammar: RFC 5322 section 3.2 (atom, quoted-string, comment, phrase) and RFC 2045
section 5.1 (token).  Octets over 127 count as letters, as old programs write them.

Every method starts at ``pos``, moves it over what it read and over the white space
and comments behind, and returns an ``Ahead``: there is more, the value ended there, or
it broke (a string or comment never closed, nothing where something had to be).

Security: each octet is looked at a fixed number of times; comments nest in a counter,
not on the stack.
"""

import enum
import re
from typing import Final

from maildrop.message.strings import REPLACEMENT

_ATEXT: Final = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-"
_ATOM: Final = re.compile(rb"[" + _ATEXT + rb"]++").match
_DOTTED: Final = re.compile(rb"[." + _ATEXT + rb"]*+").match
_TOKEN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+^_`{|}~.\x80-\xff-]*+").match
#: RFC 5322 section 4.4, obs-local-part of atoms, with the "@" behind it.
_OBS_LOCAL: Final = re.compile(
    rb"["
    + _ATEXT
    + rb"]++(?:[ \t\r\n]*+\.[ \t\r\n]*+["
    + _ATEXT
    + rb"]++)*+[ \t\r\n]*+@"
).match
_SPACE: Final = re.compile(rb"[ \t\r\n]*+").match
_IN_COMMENT: Final = re.compile(rb"\\[^\r\n\0]|[()\n\0]").finditer
_IN_STRING: Final = re.compile(rb'\\[^\r\n\0]|["\n\0]').finditer
_IN_LITERAL: Final = re.compile(rb"\\[^\r\n\0]|[][]").finditer
_PAIR_OR_BREAK: Final = re.compile(rb"\\([^\r\n\0])|\r?\n")
_BREAK: Final = re.compile(rb"\r?\n")
_WORD_STARTS: Final = re.compile(rb'[".' + _ATEXT + rb"]").match


class Ahead(enum.IntEnum):
    """What lies behind what was read."""

    BROKEN = -1
    END = 0
    MORE = 1


BROKEN: Final = Ahead.BROKEN
END: Final = Ahead.END
MORE: Final = Ahead.MORE


def plain(raw: bytes) -> bytes:
    """The text that the inside of a quoted string or comment stands for.

    Quoted pairs become their character, folds vanish, NUL becomes U+FFFD.
    """
    if b"\\" in raw or b"\n" in raw:
        raw = _PAIR_OR_BREAK.sub(rb"\1", raw)
    return raw.replace(b"\0", REPLACEMENT) if b"\0" in raw else raw


def _known_until(found: re.Match[bytes]) -> int:
    """Up to where a string that never ends is taken for text."""
    return found.end() if found[0] == b"\0" else found.start()


class Reader:
    """A field value and how far it was read.

    Attributes:
        data: The value.
        pos: The offset of what comes next.
        comment: The text of the last comment that was passed.
    """

    __slots__ = ("comment", "data", "end", "pos")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.comment = b""

    def at(self, octet: bytes) -> bool:
        """Whether ``octet`` comes next; never at the end."""
        return self.data.startswith(octet, self.pos)

    def skip(self) -> Ahead:
        """Pass white space and comments: CFWS."""
        data, end = self.data, self.end
        while True:
            space = _SPACE(data, self.pos)
            self.pos = space.end() if space else self.pos
            if self.pos >= end:
                return END
            if data[self.pos] != 0x28:
                return MORE
            if not self._skip_comment():
                return BROKEN

    def _skip_comment(self) -> bool:
        start = last = self.pos + 1
        level = 1
        for found in _IN_COMMENT(self.data, start):
            if found[0] == b"(":
                level += 1
            elif found[0] == b")":
                level -= 1
                if level == 0:
                    self.pos = found.end()
                    self.comment = plain(self.data[start : found.start()])
                    return True
            else:
                last = _known_until(found)
        self.comment = plain(self.data[start:last])
        self.pos = self.end
        return False

    def atom(self) -> tuple[Ahead, bytes]:
        """``atom``; broken when there is none."""
        found = _ATOM(self.data, self.pos)
        if found is None:
            return BROKEN, b""
        self.pos = found.end()
        return self.skip(), found[0]

    def token(self) -> tuple[Ahead, bytes]:
        """``token`` of RFC 2045 section 5.1, which may be empty here."""
        found = _TOKEN(self.data, self.pos)
        if found is None:  # pragma: no cover (an empty token matches everywhere)
            return BROKEN, b""
        self.pos = found.end()
        return (END if self.pos >= self.end else self.skip()), found[0]

    def quoted_string(self) -> tuple[Ahead, bytes]:
        """``quoted-string``; the opening quote comes next.

        A string that never ends is broken; its text is then what stands before its
        last line, before its last quoted pair, or up to its last NUL.
        """
        start = self.pos + 1
        last = start
        for found in _IN_STRING(self.data, start):
            if found[0] == b'"':
                self.pos = found.end()
                return self.skip(), plain(self.data[start : found.start()])
            last = _known_until(found)
        self.pos = self.end
        return BROKEN, plain(self.data[start:last])

    def phrase(self) -> tuple[Ahead, bytes]:
        """``phrase`` or ``obs-phrase``, its words joined by a space; may be empty."""
        if self.pos >= self.end:
            return END, b""
        if self.at(b"."):
            return BROKEN, b""
        words = []
        while True:
            if self.at(b'"'):
                ahead, word = self.quoted_string()
            else:
                ahead, word = self._dotted()
            words.append(word)
            if ahead is not MORE or not _WORD_STARTS(self.data, self.pos):
                return ahead, b" ".join(words)

    def _dotted(self) -> tuple[Ahead, bytes]:
        found = _DOTTED(self.data, self.pos)
        if found is None:  # pragma: no cover (matches the empty string)
            return BROKEN, b""
        self.pos = found.end()
        return (END if self.pos >= self.end else self.skip()), found[0]

    def local_dots(self) -> tuple[Ahead, bytes]:
        """An unquoted ``local-part``, with dots wherever people put them."""
        found = _OBS_LOCAL(self.data, self.pos)
        if found:
            self.pos = found.end() - 1
            return MORE, b"".join(found[0][:-1].split())
        words = []
        ahead = BROKEN
        while True:
            while self.at(b"."):
                words.append(b".")
                self.pos += 1
                if self.pos >= self.end:
                    return END, b"".join(words)
                ahead = MORE
            if self.at(b"@"):
                return ahead, b"".join(words)
            ahead, word = self.atom()
            words.append(word)
            if ahead is not MORE or not self.at(b"."):
                return ahead, b"".join(words)

    def domain(self) -> tuple[Ahead, bytes]:
        """``"@" domain`` or ``domain-literal``; the "@" comes next."""
        self.pos += 1
        if self.skip() is not MORE:
            return BROKEN, b""
        if self.at(b"["):
            return self._domain_literal()
        words = []
        while True:
            ahead, word = self.atom()
            words.append(word)
            if ahead is not MORE or not self.at(b"."):
                return ahead, b"".join(words)
            self.pos += 1
            words.append(b".")
            if self.skip() is not MORE:
                return BROKEN, b""

    def _domain_literal(self) -> tuple[Ahead, bytes]:
        start = self.pos
        for found in _IN_LITERAL(self.data, start + 1):
            if found[0] == b"[":
                self.pos = found.start()
                return BROKEN, b""
            if found[0] == b"]":
                self.pos = found.end()
                text = _BREAK.sub(b"", self.data[start : self.pos])
                return self.skip(), text.replace(b"\0", REPLACEMENT)
        self.pos = self.end
        return BROKEN, b""

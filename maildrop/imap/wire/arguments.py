r"""The cursor that reads the arguments of a command.

In this file:
    Arguments         octets, a place in them, and the rules of RFC 3501 section 9
    UnknownCommand    a command's name that is in no table

A command is one run of octets, its literals in place: ``LOGIN {3}\r\nfoo bar``.  The
reader has seen to it that every literal announced at the end of a line is there whole,
so a rule that meets ``{n}`` takes it on trust only if n octets follow.

Methods are named as the rules; each leaves the cursor after what it took, or raises.

Tolerated: octets above 127 in atoms and quoted strings, which clients send as UTF-8
(RFC 3501 has 7 bits there; RFC 6855 section 3 made them legal); spaces at the end.

Errors: ``ProtocolSyntaxError`` with the offset; ``LimitExceeded``.
"""

import re
from typing import Final

from maildrop.errors import LimitExceeded, PermanentError, ProtocolSyntaxError
from maildrop.imap.wire import mailbox_name
from maildrop.imap.wire.limits import Limits
from maildrop.message.flags import SYSTEM_FLAGS, is_keyword
from maildrop.message.sequence_set import LARGEST, SequenceSet

# Octets above 127 pass here; see "Tolerated".
_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f(){%*"\\\]]+').match
_ASTRING: Final = re.compile(rb'[^\x00-\x20\x7f(){%*"\\]+').match
_LIST_MAILBOX: Final = re.compile(rb'[^\x00-\x20\x7f(){"\\]+').match
_QUOTED: Final = re.compile(rb'"([^"\\\r\n\x00]*+(?:\\["\\][^"\\\r\n\x00]*+)*+)"').match
_LITERAL: Final = re.compile(rb"\{(\d{1,10})\+?\}\r\n").match
_ANNOUNCEMENT: Final = re.compile(rb"\{(\d{1,10})(\+?)\}\Z").match
_ESCAPED: Final = re.compile(rb'\\(["\\])').sub
_NUMBER: Final = re.compile(rb"\d{1,10}(?!\d)").match
_SET: Final = re.compile(rb"[\d:,*]+").match
_WORD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9.-]*+").match
_FLAG: Final = re.compile(rb'\\?[^\x00-\x20\x7f-\xff(){%*"\\\]]+').match
_ATTRIBUTE: Final = re.compile(rb'\\[^\x00-\x20\x7f-\xff(){%*"\\\]]+').match
_VALUE: Final = re.compile(rb'[^\x00-\x20\x7f(){"\\]+').match
_END: Final = re.compile(rb" *\Z").match

_NUMERIC: Final = frozenset(b"%c" % octet for octet in b"0123456789*")
_SYSTEM: Final = {name.upper().encode(): bit for name, bit in SYSTEM_FLAGS.items()}


class UnknownCommand(PermanentError):
    """A command that this server does not have."""


class Arguments:
    """Octets of a command and how far they are read.

    Args:
        octets: The whole command without its last CRLF.
        at: Where to begin.
        limits: Counts that may not be exceeded.

    Attributes:
        at: The offset of the next octet.
        limits: As above.
    """

    __slots__ = ("_octets", "at", "limits")

    def __init__(self, octets: bytes, at: int, limits: Limits) -> None:
        self._octets = octets
        self.at = at
        self.limits = limits

    # -- where we are

    def error(self, reason: str) -> ProtocolSyntaxError:
        """An error about the octets here, to be raised."""
        return ProtocolSyntaxError(reason, offset=self.at)

    def check_items(self, count: int) -> None:
        """Raise ``LimitExceeded`` if a list has more than ``Limits.items``."""
        if count > self.limits.items:
            raise LimitExceeded(f"a list of more than {self.limits.items} items")

    def at_end(self) -> bool:
        """Whether nothing but spaces is left."""
        return _END(self._octets, self.at) is not None

    def end(self) -> None:
        """Nothing may be left, but spaces.

        Quirk: clients typed by hand and some on telephones leave one there.
        """
        if self.at != len(self._octets) and _END(self._octets, self.at) is None:
            raise self.error("expected the end of the command")

    def rest(self) -> bytes:
        """All that is left."""
        rest = self._octets[self.at :]
        self.at = len(self._octets)
        return rest

    # -- fixed octets

    def space(self) -> None:
        """SP."""
        if self._octets[self.at : self.at + 1] != b" ":
            raise self.error("expected a space")
        self.at += 1

    def expect(self, octets: bytes) -> None:
        """Exactly these octets."""
        if not self._octets.startswith(octets, self.at):
            raise self.error(f"expected {octets.decode('ascii')!r}")
        self.at += len(octets)

    def take(self, octets: bytes) -> bool:
        """These octets if they are next."""
        if self._octets.startswith(octets, self.at):
            self.at += len(octets)
            return True
        return False

    def next_is(self, octets: bytes) -> bool:
        """Whether these octets are next."""
        return self._octets.startswith(octets, self.at)

    def next_is_number(self) -> bool:
        """Whether a sequence-set is next."""
        return self._octets[self.at : self.at + 1] in _NUMERIC

    def match(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """What ``pattern`` finds right here, None if nothing."""
        match = pattern.match(self._octets, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def rest_as(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """All that is left, if ``pattern`` fits it; the cursor stays where it is.

        For the short forms that most commands have: one match, no cursor.
        """
        return pattern.fullmatch(self._octets, self.at)

    # -- words and strings

    def take_word(self, word: bytes) -> bool:
        """This word in any case, if it is next."""
        match = _WORD(self._octets, self.at)
        if match is None or match[0].upper() != word:
            return False
        self.at = match.end()
        return True

    def word(self) -> bytes:
        """A word of the grammar itself, in upper case: letters, digits, "." and "-"."""
        match = _WORD(self._octets, self.at)
        if match is None:
            raise self.error("expected a word")
        self.at = match.end()
        return match[0].upper()

    def atom(self) -> bytes:
        """``atom``."""
        match = _ATOM(self._octets, self.at)
        if match is None:
            raise self.error("expected an atom")
        self.at = match.end()
        return match[0]

    def astring(self) -> bytes:
        """``astring``: an atom, which may hold "]", or a string."""
        match = _ASTRING(self._octets, self.at)
        if match is None:
            return self.string()
        self.at = match.end()
        return match[0]

    def string(self) -> bytes:
        """``string``: quoted or literal; a literal here holds no NUL."""
        match = _QUOTED(self._octets, self.at)
        if match is None:
            return self._literal()
        self.at = match.end()
        text = match[1]
        return _ESCAPED(rb"\1", text) if b"\\" in text else text

    def _literal(self) -> bytes:
        match = _LITERAL(self._octets, self.at)
        if match is None:
            raise self.error("expected a string")
        start = match.end()
        end = start + int(match[1])
        literal = self._octets[start:end]
        if end > len(self._octets) or b"\0" in literal:
            raise self.error("a literal that is cut short or holds a NUL")
        self.at = end
        return literal

    def announcement(self) -> tuple[int, bool]:
        """``"{" number ["+"] "}"`` at the very end: a literal that is yet to come.

        Returns:
            Its octets, and whether the client waits before it sends them.
        """
        match = _ANNOUNCEMENT(self._octets, self.at)
        if match is None or int(match[1]) > LARGEST:
            raise self.error("expected a literal")
        self.at = match.end()
        return int(match[1]), not match[2]

    def nstring(self) -> bytes | None:
        """``nstring``: a string, or None for NIL."""
        match = _WORD(self._octets, self.at)
        if match is not None and match[0].upper() == b"NIL":
            self.at = match.end()
            return None
        return self.string()

    def mailbox(self) -> str:
        """``mailbox``, decoded; see ``mailbox_name``."""
        start = self.at
        return self._decoded(self.astring(), start)

    def list_mailbox(self) -> str:
        """``list-mailbox``: a pattern of LIST, decoded."""
        start = self.at
        match = _LIST_MAILBOX(self._octets, start)
        if match is None:
            return self._decoded(self.string(), start)
        self.at = match.end()
        return self._decoded(match[0], start)

    def _decoded(self, octets: bytes, start: int) -> str:
        try:
            return mailbox_name.decode(octets)
        except ProtocolSyntaxError as error:
            raise ProtocolSyntaxError(str(error), offset=start) from None

    # -- numbers

    def number(self) -> int:
        """``number``: 32 bits without sign."""
        match = _NUMBER(self._octets, self.at)
        if match is None or int(match[0]) > LARGEST:
            raise self.error("expected a number of 32 bits")
        self.at = match.end()
        return int(match[0])

    def nz_number(self) -> int:
        """``nz-number``: the same from 1, no zero before it."""
        start = self.at
        zero = self.next_is(b"0")
        number = self.number()
        if zero:
            self.at = start
            raise self.error("expected a number that is not zero")
        return number

    def sequence_set(self) -> SequenceSet:
        """``sequence-set``."""
        match = _SET(self._octets, self.at)
        if match is None:
            raise self.error("expected a sequence-set")
        messages = SequenceSet.parse(match[0], self.limits.elements, self.at)
        self.at = match.end()
        return messages

    def simple_set(self, simple: re.Match[bytes]) -> SequenceSet:
        """The ``sequence-set`` that is the first group of a ``rest_as``."""
        return SequenceSet.parse(simple[1], self.limits.elements, simple.start(1))

    # -- lists

    def flag_list(self) -> tuple[int, tuple[str, ...]]:
        r"""``flag-list``, and the bare flags that STORE allows too.

        Returns:
            The bits of the system flags, and the keywords as written, each once.

        Flags with a backslash that nobody can set (``\Recent``, and those of other
        servers) are passed over, as RFC 3501 section 6.4.6 lets a server do.
        """
        if not self.take(b"("):
            return self._flags()
        if self.take(b")"):
            return 0, ()
        flags = self._flags()
        self.expect(b")")
        return flags

    def _flags(self) -> tuple[int, tuple[str, ...]]:
        bits = count = 0
        keywords: dict[str, None] = {}
        while True:
            match = _FLAG(self._octets, self.at)
            if match is None:
                raise self.error("expected a flag")
            name = match[0]
            if name[0] == 92:  # a backslash
                bits |= _SYSTEM.get(name.upper(), 0)
            elif is_keyword(keyword := name.decode("ascii")):
                keywords[keyword] = None
            else:
                raise self.error("a keyword that is too long")
            self.at = match.end()
            count += 1
            self.check_items(count)
            if not self.next_is(b" ") or self.at_end():
                return bits, tuple(keywords)
            self.at += 1

    def attributes(self) -> tuple[str, ...]:
        r"""A list in parentheses of names with a backslash, such as ``(\Sent)``."""
        self.expect(b"(")
        found: list[str] = []
        while not self.take(b")"):
            if found:
                self.space()
            match = _ATTRIBUTE(self._octets, self.at)
            if match is None:
                raise self.error("expected an attribute")
            found.append(match[0].decode("ascii"))
            self.at = match.end()
            self.check_items(len(found))
        return tuple(found)

    def parameters(self) -> tuple[tuple[bytes, bytes], ...]:
        """``name [SP value] *(SP name [SP value]) ")"``, RFC 4466 section 2.1.

        The value is a number, a sequence set or a list in parentheses.

        Returns:
            Names in upper case, and values as written, empty where there is none.
        """
        found = []
        while True:
            name = self.word()
            value = b""
            if self.next_is(b" ") and not _WORD(self._octets, self.at + 1):
                self.at += 1
                value = self._value()
            found.append((name, value))
            self.check_items(len(found))
            if self.take(b")"):
                return tuple(found)
            self.space()

    def _value(self) -> bytes:
        start = self.at
        if self.take(b"("):
            depth = 1
            while depth:
                if self.take(b"("):
                    depth += 1
                elif self.take(b")"):
                    depth -= 1
                elif not self.take(b" "):
                    self._plain()
        else:
            self._plain()
        return self._octets[start : self.at]

    def _plain(self) -> None:
        match = _VALUE(self._octets, self.at)
        if match is None:
            raise self.error("expected a value")
        self.at = match.end()

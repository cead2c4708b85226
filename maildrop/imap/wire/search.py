r"""SEARCH and UID SEARCH: find messages (RFC 3501 section 6.4.4).

In this file:
    Search        either command
    BadCharset    the error of a charset that is not known
    parse         SEARCH from octets
    uid           UID SEARCH from octets
    response      the untagged response

Grammar:

    search     = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)
    search-key = a word of the tables below and its arguments / sequence-set /
                 "(" search-key *(SP search-key) ")"

Several keys stand for all of them at once.  What is only a mixture of others is taken
apart: UNSEEN is Not(HasFlag(SEEN)), NEW is And(Recent, UNSEEN).

Charsets: US-ASCII and UTF-8.  Without CHARSET octets above 127 are read as UTF-8, which
clients send (RFC 3501 leaves it open).

Limits: ``Limits.nesting`` for parentheses, NOT and OR; ``Limits.keys``.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from maildrop.errors import LimitExceeded, PermanentError
from maildrop.imap.wire import dates
from maildrop.imap.wire.arguments import Arguments
from maildrop.message.criteria import (
    All,
    And,
    BodyContains,
    Criterion,
    HasFlag,
    HasKeyword,
    HeaderContains,
    InternalBefore,
    InternalOn,
    InternalSince,
    Larger,
    Not,
    Numbers,
    Or,
    Recent,
    SentBefore,
    SentOn,
    SentSince,
    Smaller,
    TextContains,
    Uids,
)
from maildrop.message.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    is_keyword,
)

#: Names of the charsets, and the codecs that read them.
CHARSETS: Final = {b"US-ASCII": "ascii", b"ASCII": "ascii", b"UTF-8": "utf-8"}


class BadCharset(PermanentError):
    """SEARCH named a charset that is not known: NO [BADCHARSET (...)]."""


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH; with ``uid`` the answer is in UIDs."""

    tag: bytes
    criterion: Criterion
    uid: bool = False


_WORDS: Final[dict[bytes, Criterion]] = {
    b"ALL": All(),
    b"ANSWERED": HasFlag(ANSWERED),
    b"DELETED": HasFlag(DELETED),
    b"DRAFT": HasFlag(DRAFT),
    b"FLAGGED": HasFlag(FLAGGED),
    b"NEW": And((Recent(), Not(HasFlag(SEEN)))),
    b"OLD": Not(Recent()),
    b"RECENT": Recent(),
    b"SEEN": HasFlag(SEEN),
    b"UNANSWERED": Not(HasFlag(ANSWERED)),
    b"UNDELETED": Not(HasFlag(DELETED)),
    b"UNDRAFT": Not(HasFlag(DRAFT)),
    b"UNFLAGGED": Not(HasFlag(FLAGGED)),
    b"UNSEEN": Not(HasFlag(SEEN)),
}
_DATES: Final[dict[bytes, Callable[[datetime.date], Criterion]]] = {
    b"BEFORE": InternalBefore,
    b"ON": InternalOn,
    b"SINCE": InternalSince,
    b"SENTBEFORE": SentBefore,
    b"SENTON": SentOn,
    b"SENTSINCE": SentSince,
}
_TEXTS: Final[dict[bytes, Callable[[str], Criterion]]] = {
    b"BODY": BodyContains,
    b"TEXT": TextContains,
    b"BCC": lambda text: HeaderContains(b"BCC", text),
    b"CC": lambda text: HeaderContains(b"CC", text),
    b"FROM": lambda text: HeaderContains(b"FROM", text),
    b"SUBJECT": lambda text: HeaderContains(b"SUBJECT", text),
    b"TO": lambda text: HeaderContains(b"TO", text),
}
_SIZES: Final[dict[bytes, Callable[[int], Criterion]]] = {
    b"LARGER": Larger,
    b"SMALLER": Smaller,
}


def parse(tag: bytes, arguments: Arguments) -> Search:
    """Read what follows SEARCH."""
    return Search(tag, _Keys(arguments).search())


def uid(tag: bytes, arguments: Arguments) -> Search:
    """Read what follows UID SEARCH."""
    return Search(tag, _Keys(arguments).search(), uid=True)


class _Keys:
    """The search keys of one command."""

    __slots__ = ("_arguments", "_codec", "_count", "_depth")

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._codec = "utf-8"
        self._count = 0
        self._depth = 0

    def search(self) -> Criterion:
        """All of it."""
        arguments = self._arguments
        arguments.space()
        if arguments.take_word(b"CHARSET"):
            arguments.space()
            self._codec = _codec(arguments.astring())
            arguments.space()
        keys = [self.key()]
        while not arguments.at_end():
            arguments.space()
            keys.append(self.key())
        return _all(keys)

    def key(self) -> Criterion:
        """One ``search-key``."""
        arguments = self._arguments
        self._count += 1
        if self._count > arguments.limits.keys:
            raise LimitExceeded(f"more than {arguments.limits.keys} search keys")
        if arguments.next_is(b"("):
            return self._nested(self._parenthesised)
        if arguments.next_is_number():
            return Numbers(arguments.sequence_set())
        word = arguments.word()
        known = _WORDS.get(word)
        return known if known is not None else self._with_argument(word)

    def _nested(self, read: Callable[[], Criterion]) -> Criterion:
        limit = self._arguments.limits.nesting
        if self._depth >= limit:
            raise LimitExceeded(f"search keys nested deeper than {limit}")
        self._depth += 1
        criterion = read()
        self._depth -= 1
        return criterion

    def _parenthesised(self) -> Criterion:
        arguments = self._arguments
        arguments.expect(b"(")
        keys = [self.key()]
        while not arguments.take(b")"):
            arguments.space()
            keys.append(self.key())
        return _all(keys)

    def _with_argument(self, word: bytes) -> Criterion:
        arguments = self._arguments
        start = arguments.at
        arguments.space()
        if word in _TEXTS:
            return _TEXTS[word](self._text())
        if word in _DATES:
            return _DATES[word](dates.day(arguments.astring(), start + 1))
        if word in _SIZES:
            return _SIZES[word](arguments.number())
        read = self._others().get(word)
        if read is None:
            arguments.at = start
            raise arguments.error("expected a search key")
        return read()

    def _others(self) -> dict[bytes, Callable[[], Criterion]]:
        return {
            b"HEADER": self._header,
            b"KEYWORD": self._keyword,
            b"NOT": lambda: self._nested(lambda: Not(self.key())),
            b"OR": lambda: self._nested(self._or),
            b"UID": lambda: Uids(self._arguments.sequence_set()),
            b"UNKEYWORD": lambda: Not(self._keyword()),
        }

    def _or(self) -> Criterion:
        left = self.key()
        self._arguments.space()
        return Or(left, self.key())

    def _header(self) -> Criterion:
        name = self._arguments.astring().upper()
        self._arguments.space()
        return HeaderContains(name, self._text())

    def _keyword(self) -> Criterion:
        name = self._arguments.atom().decode("ascii", "replace")
        if not is_keyword(name):
            raise self._arguments.error("expected a keyword")
        return HasKeyword(name)

    def _text(self) -> str:
        text = self._arguments.astring()
        try:
            return text.decode(self._codec)
        except UnicodeDecodeError:
            raise self._arguments.error("text that is not of its charset") from None


def _codec(charset: bytes) -> str:
    codec = CHARSETS.get(charset.upper())
    if codec is None:
        raise BadCharset("a charset that is not known")
    return codec


def _all(keys: list[Criterion]) -> Criterion:
    return keys[0] if len(keys) == 1 else And(tuple(keys))


def response(numbers: Iterable[int]) -> bytes:
    """SEARCH: sequence numbers or UIDs (section 7.2.5)."""
    return b" ".join((b"* SEARCH", *(b"%d" % number for number in numbers))) + b"\r\n"

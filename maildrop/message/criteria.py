r"""What SEARCH can ask of a message (RFC 3501 section 6.4.4).

In this file:
    All, And, Or, Not                           how questions are joined
    HasFlag, HasKeyword, Recent                 flags
    Larger, Smaller                             octets
    InternalBefore, InternalOn, InternalSince   the date of arrival
    SentBefore, SentOn, SentSince               the date in the header
    HeaderContains, BodyContains, TextContains  text
    Numbers, Uids                               the message itself
    Criterion                                   any of them

The keys of SEARCH that are no more than a mixture of these (UNSEEN, NEW, KEYWORD ...)
are taken apart by the grammar, ``imap.wire.search``.  Text is as the client wrote it,
decoded; whoever compares it folds it first.
"""

import datetime
from dataclasses import dataclass
from typing import TypeAlias

from maildrop.message.sequence_set import SequenceSet


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """Messages that fit all of ``criteria``, of which there are two or more."""

    criteria: "tuple[Criterion, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Messages that fit one or the other."""

    left: "Criterion"
    right: "Criterion"


@dataclass(frozen=True, slots=True)
class Not:
    """Messages that do not fit."""

    criterion: "Criterion"


@dataclass(frozen=True, slots=True)
class HasFlag:
    """Messages with a system flag; ``bits`` is one of ``flags.SEEN`` and kin."""

    bits: int


@dataclass(frozen=True, slots=True)
class HasKeyword:
    """Messages with a keyword, compared without regard to ASCII case."""

    name: str


@dataclass(frozen=True, slots=True)
class Recent:
    r"""Messages that are ``\Recent`` in the session that asks."""


@dataclass(frozen=True, slots=True)
class Larger:
    """Messages of more than so many octets."""

    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """Messages of fewer than so many octets."""

    octets: int


@dataclass(frozen=True, slots=True)
class InternalBefore:
    """Messages that arrived before a day."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class InternalOn:
    """Messages that arrived on a day."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class InternalSince:
    """Messages that arrived on a day or later."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class SentBefore:
    """Messages whose Date field names a day before, whatever its time and zone."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class SentOn:
    """Messages whose Date field names that day."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class SentSince:
    """Messages whose Date field names that day or a later one."""

    date: datetime.date


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """Messages with text in a header field.

    Attributes:
        name: The field's name in upper case.
        value: What to find; empty finds every message that has the field.
    """

    name: bytes
    value: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    """Messages with text in the body."""

    text: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """Messages with text in the header or the body."""

    text: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """Messages by sequence number."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class Uids:
    """Messages by UID."""

    messages: SequenceSet


Criterion: TypeAlias = (
    All
    | And
    | Or
    | Not
    | HasFlag
    | HasKeyword
    | Recent
    | Larger
    | Smaller
    | InternalBefore
    | InternalOn
    | InternalSince
    | SentBefore
    | SentOn
    | SentSince
    | HeaderContains
    | BodyContains
    | TextContains
    | Numbers
    | Uids
)

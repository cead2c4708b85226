"""SEARCH: RFC 3501 sections 6.4.4 and 7.2.5."""

import datetime

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, PermanentError, ProtocolSyntaxError
from maildrop.imap.wire import search
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.search import BadCharset, Search
from maildrop.imap.wire.syntax import string
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
from maildrop.message.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.message.sequence_set import SequenceSet

DAY = datetime.date(1994, 2, 1)


def criterion(octets: bytes, **limits: int) -> Criterion:
    arguments = Arguments(b" " + octets, 0, Limits(**limits))
    return search.parse(b"a", arguments).criterion


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"ALL", All()),
        (b"all", All()),
        (b"ANSWERED", HasFlag(ANSWERED)),
        (b"DELETED", HasFlag(DELETED)),
        (b"DRAFT", HasFlag(DRAFT)),
        (b"FLAGGED", HasFlag(FLAGGED)),
        (b"SEEN", HasFlag(SEEN)),
        (b"UNANSWERED", Not(HasFlag(ANSWERED))),
        (b"UNDELETED", Not(HasFlag(DELETED))),
        (b"UNDRAFT", Not(HasFlag(DRAFT))),
        (b"UNFLAGGED", Not(HasFlag(FLAGGED))),
        (b"UNSEEN", Not(HasFlag(SEEN))),
        (b"RECENT", Recent()),
        (b"OLD", Not(Recent())),
        (b"NEW", And((Recent(), Not(HasFlag(SEEN))))),
        (b"KEYWORD $Junk", HasKeyword("$Junk")),
        (b"UNKEYWORD $Junk", Not(HasKeyword("$Junk"))),
        (b"BEFORE 1-Feb-1994", InternalBefore(DAY)),
        (b'ON "1-Feb-1994"', InternalOn(DAY)),
        (b"SINCE 01-feb-1994", InternalSince(DAY)),
        (b"SENTBEFORE 1-Feb-1994", SentBefore(DAY)),
        (b"SENTON 1-Feb-1994", SentOn(DAY)),
        (b"SENTSINCE 1-Feb-1994", SentSince(DAY)),
        (b"LARGER 100", Larger(100)),
        (b"SMALLER 0", Smaller(0)),
        (b"BCC a", HeaderContains(b"BCC", "a")),
        (b"CC a", HeaderContains(b"CC", "a")),
        (b"FROM Smith", HeaderContains(b"FROM", "Smith")),
        (b"TO a", HeaderContains(b"TO", "a")),
        (b'SUBJECT "two words"', HeaderContains(b"SUBJECT", "two words")),
        (b'HEADER List-Id ""', HeaderContains(b"LIST-ID", "")),
        (b"BODY {3}\r\na\r\n", BodyContains("a\r\n")),
        (b"TEXT a", TextContains("a")),
        (b"1:3,*", Numbers(SequenceSet(((1, 3), (0, 0))))),
        (b"*", Numbers(SequenceSet(((0, 0),)))),
        (b"UID 1:*", Uids(SequenceSet(((1, 0),)))),
        (b"NOT SEEN", Not(HasFlag(SEEN))),
        (b"NOT NOT ALL", Not(Not(All()))),
        (b"OR SEEN DRAFT", Or(HasFlag(SEEN), HasFlag(DRAFT))),
        (b"OR OR 1 2 3", Or(Or(*(Numbers(SequenceSet(((n, n),))) for n in (1, 2))),
                            Numbers(SequenceSet(((3, 3),))))),
        (b"(ALL)", All()),
        (b"SEEN DRAFT", And((HasFlag(SEEN), HasFlag(DRAFT)))),
        (b"(SEEN DRAFT) ALL", And((And((HasFlag(SEEN), HasFlag(DRAFT))), All()))),
        (b"NOT (SEEN DRAFT)", Not(And((HasFlag(SEEN), HasFlag(DRAFT))))),
        ('TEXT "für"'.encode(), TextContains("für")),
        ('CHARSET UTF-8 TEXT "für"'.encode(), TextContains("für")),
        (b'charset "us-ascii" TEXT fur', TextContains("fur")),
        (b"ALL ", All()),
    ],
)  # fmt: skip
def test_a_question_is_read(octets: bytes, expected: Criterion) -> None:
    assert criterion(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"WHAT",
        b"WHAT 5",
        b"()",
        b"(ALL",
        b"ALL)",
        b"ALL  SEEN",
        b"NOT",
        b"NOT ",
        b"OR ALL",
        b"OR ALL ",
        b"KEYWORD",
        b"KEYWORD \\Seen",
        b"KEYWORD (a)",
        b"BEFORE",
        b"BEFORE 1994-02-01",
        b"BEFORE 30-Feb-1994",
        b"LARGER -1",
        b"LARGER 1k",
        b"LARGER 4294967296",
        b"HEADER Subject",
        b"FROM",
        b"UID",
        b"UID x",
        b"0",
        b"1:",
        b"$",
        b"ALL CHARSET UTF-8",
        b"CHARSET UTF-8",
        b"TEXT \xff",
        b"CHARSET US-ASCII TEXT \xc3\xbc",
        b'"ALL"',
    ],
)
def test_what_is_no_question_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        criterion(octets)


@pytest.mark.parametrize("charset", [b"KOI8-R", b'"ISO-8859-1"', b"utf8", b'""'])
def test_a_charset_that_is_not_known_is_an_error_of_its_own(charset: bytes) -> None:
    with pytest.raises(BadCharset):
        criterion(b"CHARSET %b TEXT a" % charset)


def test_uid_search_is_answered_in_uids() -> None:
    arguments = Arguments(b" ALL", 0, Limits())
    assert search.uid(b"a", arguments) == Search(b"a", All(), uid=True)


@pytest.mark.parametrize(
    ("deep", "deeper"),
    [
        (b"NOT NOT ALL", b"NOT NOT NOT ALL"),
        (b"((ALL))", b"(((ALL)))"),
        (b"OR OR 1 2 3", b"OR OR OR 1 2 3 4"),
        (b"OR ALL NOT 1", b"NOT OR ALL (1)"),
    ],
)
def test_nesting_is_limited(deep: bytes, deeper: bytes) -> None:
    assert criterion(deep, nesting=2)
    with pytest.raises(LimitExceeded):
        criterion(deeper, nesting=2)


def test_one_after_the_other_is_not_nested() -> None:
    assert criterion(b"NOT 1 (2) NOT 3 (OR 4 5)", nesting=2)


def test_keys_are_limited() -> None:
    assert criterion(b"1 2 3", keys=3)
    with pytest.raises(LimitExceeded):
        criterion(b"1 2 3 4", keys=3)


def test_the_response_lists_the_numbers() -> None:
    assert search.response([2, 84, 882]) == b"* SEARCH 2 84 882\r\n"
    assert search.response([]) == b"* SEARCH\r\n"


#: What a client writes, and what it asks by that.
Asked = tuple[bytes, Criterion]

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def _date(date: datetime.date) -> bytes:
    return b"%d-%b-%04d" % (date.day, MONTHS[date.month - 1], date.year)


def _not(inner: Asked) -> Asked:
    return b"NOT " + inner[0], Not(inner[1])


def _or(left: Asked, right: Asked) -> Asked:
    return b"OR %b %b" % (left[0], right[0]), Or(left[1], right[1])


def _and(several: list[Asked]) -> Asked:
    octets = b" ".join(key for key, _ in several)
    return b"(%b)" % octets, And(tuple(criterion for _, criterion in several))


questions: st.SearchStrategy[Asked] = st.recursive(
    st.one_of(
        st.sampled_from([(b"ALL", All()), (b"draft", HasFlag(DRAFT))]),
        st.integers(0, 0xFFFFFFFF).map(
            lambda size: (b"LARGER %d" % size, Larger(size))
        ),
        st.dates().map(lambda date: (b"ON " + _date(date), InternalOn(date))),
        st.dates().map(lambda date: (b"SENTON " + _date(date), SentOn(date))),
        texts.map(lambda text: (b"BODY " + string(text.encode()), BodyContains(text))),
        texts.map(
            lambda text: (
                b"HEADER x-Any " + string(text.encode()),
                HeaderContains(b"X-ANY", text),
            )
        ),
    ),
    lambda inner: st.one_of(
        inner.map(_not),
        st.builds(_or, inner, inner),
        st.lists(inner, min_size=2, max_size=3).map(_and),
    ),
    max_leaves=8,
)


@given(questions)
def test_what_is_written_reads_back(asked: Asked) -> None:
    octets, expected = asked
    assert criterion(octets) == expected


@given(
    st.binary(max_size=30)
    | st.lists(
        st.sampled_from(
            [
                b"NOT",
                b"OR",
                b"(",
                b")",
                b" ",
                b"ALL",
                b"1:*",
                b"FROM",
                b'"',
                b"a",
                b"{1}",
            ]
        ),
        max_size=10,
    ).map(b"".join)
)
def test_any_octets_parse_or_raise(octets: bytes) -> None:
    try:
        found = criterion(octets, nesting=3)
    except PermanentError:
        return
    assert hash(found) == hash(criterion(octets, nesting=3))

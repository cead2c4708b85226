"""The rules of RFC 3501 section 9 that all commands share."""

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.syntax import astring, literal, mailbox, nstring, string
from maildrop.message.flags import DELETED, SEEN


def arguments(octets: bytes, **limits: int) -> Arguments:
    return Arguments(octets, 0, Limits(**limits))


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        (b"atom", b"atom"),
        (b"a]b", b"a]b"),
        (b"+1.2", b"+1.2"),
        (b'""', b""),
        (b'"two words"', b"two words"),
        (rb'"\"\\"', b'"\\'),
        (b"{0}\r\n", b""),
        (b"{3+}\r\na\r\n", b"a\r\n"),
        (b'{4}\r\n\xff"{}', b'\xff"{}'),
        ("ü".encode(), "ü".encode()),
        ('"ü"'.encode(), "ü".encode()),
    ],
)
def test_an_astring_is_an_atom_or_a_string(octets: bytes, value: bytes) -> None:
    cursor = arguments(octets)
    assert cursor.astring() == value
    cursor.end()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" ",
        b"(",
        b'"',
        b'"open',
        rb'"\a"',
        b'"a\r"',
        b'"a\0"',
        b"{}\r\n",
        b"{-1}\r\n",
        b"{3}\r\nab",
        b"{3}abc",
        b"{1}\r\n\0",
        b"{99999999999}\r\n",
        b"\x7f",
        b"*",
        b"\\Seen",
    ],
)
def test_what_is_no_astring_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        arguments(octets).astring()


def test_an_error_says_how_far_the_grammar_came() -> None:
    cursor = arguments(b"one two(")
    cursor.atom()
    cursor.space()
    cursor.atom()
    with pytest.raises(ProtocolSyntaxError) as caught:
        cursor.end()
    assert caught.value.offset == 7


def test_nil_is_nothing_only_without_quotes() -> None:
    assert arguments(b"nil").nstring() is None
    assert arguments(b'"NIL"').nstring() == b"NIL"


def test_an_atom_holds_no_closing_bracket() -> None:
    cursor = arguments(b"a]b")
    assert cursor.atom() == b"a"


@pytest.mark.parametrize("octets", [b"0", b"007", b"4294967295"])
def test_a_number_has_32_bits(octets: bytes) -> None:
    assert arguments(octets).number() == int(octets)


@pytest.mark.parametrize("octets", [b"", b"-1", b"4294967296", b"99999999999", b"x"])
def test_what_is_no_number_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        arguments(octets).number()


@pytest.mark.parametrize("octets", [b"0", b"01", b""])
def test_an_nz_number_does_not_begin_with_zero(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        arguments(octets).nz_number()


@pytest.mark.parametrize(
    ("octets", "flags"),
    [
        (b"()", (0, ())),
        (rb"(\Seen)", (SEEN, ())),
        (rb"(\sEEN \Deleted)", (SEEN | DELETED, ())),
        (rb"\Seen $Forwarded", (SEEN, ("$Forwarded",))),
        (b"(b a b)", (0, ("b", "a"))),
        (b"(Junk junk)", (0, ("Junk", "junk"))),
        (rb"(\Recent \XYZ \Seen)", (SEEN, ())),
    ],
)
def test_flags_are_bits_and_keywords(
    octets: bytes, flags: tuple[int, tuple[str, ...]]
) -> None:
    cursor = arguments(octets)
    assert cursor.flag_list() == flags
    cursor.end()


@pytest.mark.parametrize(
    "octets", [b"", b"(", rb"(\Seen", rb"(\Seen,\Deleted)", b"(\\)", b"(a  b)", b"(%)"]
)
def test_what_is_no_flag_list_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        arguments(octets).flag_list()


def test_a_keyword_that_is_too_long_is_refused() -> None:
    assert arguments(b"(%b)" % (b"k" * 255)).flag_list() == (0, ("k" * 255,))
    with pytest.raises(ProtocolSyntaxError):
        arguments(b"(%b)" % (b"k" * 256)).flag_list()


def test_a_list_is_limited() -> None:
    assert arguments(b"(a b c)", items=3).flag_list() == (0, ("a", "b", "c"))
    with pytest.raises(LimitExceeded):
        arguments(b"(a b c d)", items=3).flag_list()


def test_a_sequence_set_is_limited() -> None:
    with pytest.raises(LimitExceeded):
        arguments(b"1,2,3,4", elements=3).sequence_set()


def test_spaces_may_end_a_command() -> None:
    arguments(b"  ").end()
    assert arguments(b"  ").at_end()
    with pytest.raises(ProtocolSyntaxError):
        arguments(b"\t").end()


def test_parameters_keep_their_values_as_written() -> None:
    """RFC 4466 section 2.1."""
    cursor = arguments(b"condstore QRESYNC (67 20 41,43 (1:2 5)) X 5)")
    assert cursor.parameters() == (
        (b"CONDSTORE", b""),
        (b"QRESYNC", b"(67 20 41,43 (1:2 5))"),
        (b"X", b"5"),
    )
    cursor.end()


@pytest.mark.parametrize(
    "octets", [b")", b"A", b"A (", b"A (1", b"A )", b'A "x")', b"A  B)", b"1)"]
)
def test_what_is_no_parameter_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        arguments(octets).parameters()


RULES: list[Callable[[Arguments], object]] = [
    Arguments.announcement,
    Arguments.astring,
    Arguments.atom,
    Arguments.attributes,
    Arguments.flag_list,
    Arguments.list_mailbox,
    Arguments.mailbox,
    Arguments.nstring,
    Arguments.number,
    Arguments.nz_number,
    Arguments.parameters,
    Arguments.sequence_set,
    Arguments.word,
]

octets_of_grammar = st.binary(max_size=20) | st.text(
    'aZ0129*:,(){}+"\\ \r\n%]&-', max_size=20
).map(str.encode)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@given(octets=octets_of_grammar)
def test_any_octets_parse_or_raise_syntax_error(
    rule: Callable[[Arguments], object], octets: bytes
) -> None:
    cursor = arguments(octets)
    try:
        rule(cursor)
    except ProtocolSyntaxError as error:
        assert 0 <= error.offset <= len(octets)
    else:
        assert 0 < cursor.at <= len(octets)


values = st.binary(max_size=30).map(lambda octets: octets.replace(b"\0", b"?"))


@given(values, st.sampled_from([astring, string, nstring, literal]))
def test_what_is_written_reads_back(
    value: bytes, written: Callable[[bytes], bytes]
) -> None:
    cursor = arguments(written(value))
    assert cursor.astring() == value
    cursor.end()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_mailboxes_that_are_written_read_back(name: str) -> None:
    cursor = arguments(mailbox(name))
    assert cursor.mailbox() == ("INBOX" if name.upper() == "INBOX" else name)
    cursor.end()

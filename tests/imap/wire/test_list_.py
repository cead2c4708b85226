"""LIST: RFC 3501 sections 6.3.8 and 7.2.2, RFC 5258, RFC 6154."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire import list_
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.list_ import RETURNED, SELECTION, List
from maildrop.imap.wire.syntax import mailbox


def read(octets: bytes, **limits: int) -> List:
    return list_.parse(b"a", Arguments(octets, 0, Limits(**limits)))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b' "" ""', List(b"a", "", ("",))),
        (b' "" *', List(b"a", "", ("*",))),
        (b' "" "%"', List(b"a", "", ("%",))),
        (b" ~/Mail/ %/*", List(b"a", "~/Mail/", ("%/*",))),
        (b' "" a]*', List(b"a", "", ("a]*",))),
        (b' "" {3}\r\na b', List(b"a", "", ("a b",))),
        (b' "" Entw&APw-*', List(b"a", "", ("Entwü*",))),
        (b' "" inbox', List(b"a", "", ("INBOX",))),
        # Thunderbird
        (
            b' (subscribed) "" "*" return (special-use)',
            List(
                b"a",
                "",
                ("*",),
                frozenset({b"SUBSCRIBED"}),
                frozenset({b"SPECIAL-USE"}),
                extended=True,
            ),
        ),
        (
            b' (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)',
            List(
                b"a",
                "",
                ("*",),
                frozenset({b"SPECIAL-USE"}),
                frozenset({b"SPECIAL-USE"}),
                extended=True,
            ),
        ),
        (b' () "" *', List(b"a", "", ("*",), extended=True)),
        (b' "" (INBOX Work/%)', List(b"a", "", ("INBOX", "Work/%"), extended=True)),
        (
            b' "" % RETURN (CHILDREN SUBSCRIBED)',
            List(
                b"a",
                "",
                ("%",),
                returned=frozenset({b"CHILDREN", b"SUBSCRIBED"}),
                extended=True,
            ),
        ),
        (b' "" % RETURN ()', List(b"a", "", ("%",), extended=True)),
        (
            b' (REMOTE RECURSIVEMATCH SUBSCRIBED) "" %',
            List(b"a", "", ("%",), frozenset(
                {b"REMOTE", b"RECURSIVEMATCH", b"SUBSCRIBED"}
            ), extended=True),
        ),
    ],
)  # fmt: skip
def test_a_list_is_read(octets: bytes, expected: List) -> None:
    assert read(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b' ""',
        b' "" ',
        b" *",
        b' * ""',
        b' "" "" ""',
        b' (WHAT) "" *',
        b' (RECURSIVEMATCH) "" *',
        b' (RECURSIVEMATCH REMOTE) "" *',
        b' (SUBSCRIBED CHILDREN) "" *',
        b' (SUBSCRIBED "" *',
        b' "" ()',
        b' "" (a',
        b' "" * RETURN',
        b' "" * RETURN WHAT',
        b' "" * RETURN (WHAT)',
        b' "" * RETURN (REMOTE)',
        b' "" * GIVE (CHILDREN)',
        b' "" &bad',
    ],
)
def test_what_is_no_list_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_patterns_are_limited() -> None:
    assert read(b' "" (a b c)', items=3).patterns == ("a", "b", "c")
    with pytest.raises(LimitExceeded):
        read(b' "" (a b c d)', items=3)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (list_.response("", "/", [rb"\Noselect"]), b'* LIST (\\Noselect) "/" ""\r\n'),
        (
            list_.response("Sent Items", ".", [rb"\HasNoChildren", rb"\Sent"]),
            b'* LIST (\\HasNoChildren \\Sent) "." "Sent Items"\r\n',
        ),
        (list_.response("Entwürfe", "/"), b'* LIST () "/" Entw&APw-rfe\r\n'),
        (list_.response("INBOX", None), b"* LIST () NIL INBOX\r\n"),
        (list_.response("a", "\\"), b'* LIST () "\\\\" a\r\n'),
        (
            list_.response("Foo", "/", child_info=[b"SUBSCRIBED"]),
            b'* LIST () "/" Foo ("CHILDINFO" ("SUBSCRIBED"))\r\n',
        ),
    ],
)
def test_a_mailbox_is_told_on_a_line(line: bytes, expected: bytes) -> None:
    assert line == expected


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=10).filter(
    lambda name: name.upper() != "INBOX"
)


@given(
    names,
    st.lists(names, min_size=1, max_size=3),
    st.sets(st.sampled_from(sorted(SELECTION - {b"RECURSIVEMATCH"}))),
    st.sets(st.sampled_from(sorted(RETURNED))),
)
def test_what_is_written_reads_back(
    reference: str, patterns: list[str], selection: set[bytes], returned: set[bytes]
) -> None:
    octets = b" (%b) %b (%b) RETURN (%b)" % (
        b" ".join(selection),
        mailbox(reference),
        b" ".join(map(mailbox, patterns)),
        b" ".join(returned),
    )
    assert read(octets) == List(
        b"a",
        reference,
        tuple(patterns),
        frozenset(selection),
        frozenset(returned),
        extended=True,
    )


@given(
    st.binary(max_size=24)
    | st.lists(
        st.sampled_from([b" ", b"(", b")", b'""', b"*", b"%", b"RETURN", b"REMOTE"]),
        max_size=10,
    ).map(b"".join)
)
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        command = read(octets)
    except ProtocolSyntaxError:
        return
    assert command.patterns

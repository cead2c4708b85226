"""The grammar of POP3 commands."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.pop3.wire.commands import KEYWORDS, Command, UnknownCommand, parse


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"STAT", Command(b"STAT")),
        (b"stat", Command(b"STAT")),
        (b"NOOP  ", Command(b"NOOP")),
        (b"LIST", Command(b"LIST")),
        (b"LIST ", Command(b"LIST")),
        (b"LIST 3", Command(b"LIST", 3)),
        (b"uidl 0", Command(b"UIDL", 0)),
        (b"RETR 12 ", Command(b"RETR", 12)),
        (b"DELE 007", Command(b"DELE", 7)),
        (b"TOP 1 0", Command(b"TOP", 1, 0)),
        (b"TOP  2  4294967295", Command(b"TOP", 2, 4294967295)),
        (b"USER bob@example.org", Command(b"USER", text=b"bob@example.org")),
        (b"PASS  two  blanks ", Command(b"PASS", text=b" two  blanks ")),
        (b"PASS p\xc3\xa4ss", Command(b"PASS", text=b"p\xc3\xa4ss")),
        (b"AUTH", Command(b"AUTH")),
        (b"AUTH plain", Command(b"AUTH", text=b"PLAIN")),
        (b"AUTH PLAIN AGIAeA==", Command(b"AUTH", text=b"PLAIN", initial=b"AGIAeA==")),
        (b"AUTH PLAIN =", Command(b"AUTH", text=b"PLAIN", initial=b"=")),
        (b"LANG", Command(b"LANG")),
        (b"LANG en-GB", Command(b"LANG", text=b"en-GB")),
    ],
)
def test_a_command_is_read(line: bytes, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"STAT 1",
        b"QUIT now",
        b"LIST x",
        b"LIST 1 2",
        b"LIST -1",
        b"RETR",
        b"RETR 99999999999",
        b"RETR 1.0",
        b"RETR \xd9\xa1",
        b"DELE 1 2",
        b"TOP 1",
        b"TOP 1 2 3",
        b"TOP 1 x",
        b"USER",
        b"USER ",
        b"PASS",
        b"PASS ",
        b"PASS a\0b",
        b"AUTH PLAIN a b",
        b"AUTH PL/AIN",
        b"AUTH " + b"A" * 21,
    ],
)
def test_arguments_of_another_kind_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        parse(line)


@pytest.mark.parametrize("line", [b"", b" ", b"XTND", b"APOP a b", b" STAT", b"STAT\t"])
def test_unknown_commands_are_told_apart(line: bytes) -> None:
    with pytest.raises(UnknownCommand):
        parse(line)


@settings(max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=40),
        st.tuples(st.sampled_from(sorted(KEYWORDS)), st.binary(max_size=20)).map(
            b" ".join
        ),
    )
)
def test_any_line_is_read_or_refused(line: bytes) -> None:
    try:
        command = parse(line)
    except ProtocolSyntaxError:
        return
    assert command.keyword in KEYWORDS

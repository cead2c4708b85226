"""``dovecot-keywords``."""

import pytest
from hypothesis import given, strategies as st

from maildrop.mailbox.flags import is_keyword
from maildrop.storage.foreign.dovecot_keywords import LETTERS, parse, written
from maildrop.storage.foreign.facts import Unreadable


def test_letters_are_numbered_from_a() -> None:
    assert parse(b"0 $Forwarded\n1 Junk\n", "f") == ["$Forwarded", "Junk"]


def test_a_letter_without_a_name_keeps_its_place() -> None:
    names = parse(b"2 Junk\n0 work\n", "f")
    assert (names[0], names[2], len(names)) == ("work", "Junk", 3)
    assert is_keyword(names[1])


@pytest.mark.parametrize(
    "octets",
    [
        b"26 x\n",
        b"-1 x\n",
        b"x y\n",
        b"0\n",
        b"0 two words\n",
        b"0 \\Seen\n",
        b"0 a\n1 A\n",
        b"99999999999999 x\n",
    ],
)
def test_what_is_no_keyword_of_a_letter_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable, match="where, line"):
        parse(octets, "where")


@given(st.lists(st.from_regex(r"[$A-Za-z][A-Za-z0-9]{0,9}", fullmatch=True)))
def test_what_is_written_reads_back(names: list[str]) -> None:
    unique = list({name.lower(): name for name in names}.values())
    assert parse(written(unique), "f") == unique[:LETTERS]


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        names = parse(octets, "f")
    except Unreadable:
        return
    assert all(map(is_keyword, names))
    assert len(names) <= LETTERS

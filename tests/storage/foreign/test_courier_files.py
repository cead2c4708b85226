"""The files of courier-imap and courier-pop3d."""

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.foreign.courier_files import (
    Sized,
    SizeList,
    UidDb,
    keyword_lines,
    parse_keywords,
    parse_sizes,
    parse_uids,
    plain,
    subscribed,
    written_keywords,
    written_name,
)
from maildrop.storage.foreign.facts import Unreadable


def test_uids_need_not_ascend() -> None:
    found = parse_uids(b"1 99 8\n7 b:2,S\n2 a\n", "f")
    assert found == UidDb(99, 8, {b"b": 7, b"a": 2})
    assert parse_uids(bytes(found), "f") == found


def test_uidnext_is_above_all_uids() -> None:
    assert parse_uids(b"1 99 3\n7 b\n", "f").uid_next == 8


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "line 1"),
        (b"2 1 1\n", "line 1"),
        (b"1 0 1\n", "UIDVALIDITY"),
        (b"1 1 1\n1 a\n1 b\n", "line 3: UID 1 is given twice"),
        (b"1 1 1\n1 a/b\n", "no file"),
        (b"1 1 1\n-1 a\n", "the UID"),
    ],
)
def test_uids_that_cannot_be_are_refused(octets: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        parse_uids(octets, "where")


@pytest.mark.parametrize(
    ("octets", "ids"),
    [
        (b"/3 7 55\na b:2,DF 492 1:55:0\nc 3 0:0:1\n", [b"UID1-55", b"c"]),
        (b"/2 7 55\na 492 6:55\nb 1 2:0\n", [b"UID6-55", b"UID2"]),
        (b"/1 7\na 492 6\n", [b"UID6"]),
        (b"a 492\n", [b"a"]),
    ],
)
def test_unique_ids_of_all_versions(octets: bytes, ids: list[bytes]) -> None:
    found = parse_sizes(octets, "f")
    assert [one.unique_id for one in found.messages] == ids


def test_numbers_go_on_above_all_that_were_given() -> None:
    assert parse_sizes(b"/2 3 55\na 1 9:55\n", "f").next_number == 10


def test_sizes_are_written_so_that_names_can_be_compared_up_to_the_colon() -> None:
    sizes = SizeList(7, 55, [Sized(b"a", 3, 6, 55), Sized(b"b", 4)])
    assert bytes(sizes) == b"/2 7 55\na:2, 3 6:55\nb:2, 4 0:0\n"
    assert parse_sizes(bytes(sizes), "f") == sizes


def test_a_name_is_a_unique_id_with_what_pop3_does_not_allow_coded() -> None:
    assert plain(b"a.b,S=1") == b"a.b,S=1"
    assert plain(b"a b+'\xc3") == b"a+20b+2B+27+C3"


@pytest.mark.parametrize(
    "octets", [b"/4 1 1\n", b"/x\n", b"/2 1 1\na\n", b"/2 1 1\na x 1:1\n", b"/2 x 1\n"]
)
def test_sizes_that_cannot_be_are_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_sizes(octets, "where")


def test_keywords_are_numbers_in_a_list() -> None:
    octets = b"work\n$Junk\n\na,S=1:0 1\nb::1\n"
    found = parse_keywords(octets, "f")
    assert found == {b"a,S=1": ("work", "$Junk"), b"b:": ("$Junk",)}


def test_what_is_no_keyword_is_left_out() -> None:
    assert parse_keywords(b"two words\nok\n\na:0 1\n", "f") == {b"a": ("ok",)}


@pytest.mark.parametrize("octets", [b"a\n\nx:1\n", b"a\n\nx:-\n", b"a\n\n/:0\n"])
def test_keywords_that_cannot_be_are_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_keywords(octets, "where")


@given(
    st.dictionaries(
        st.from_regex(rb"[a-z]{1,8}", fullmatch=True),
        st.lists(st.sampled_from(["work", "$Junk", "x"]), min_size=1, unique=True),
    )
)
def test_written_keywords_read_back(keywords: dict[bytes, list[str]]) -> None:
    found = parse_keywords(written_keywords(keywords), "f")
    assert found == {name: tuple(some) for name, some in keywords.items()}


def test_a_message_has_a_line_for_each_keyword() -> None:
    assert keyword_lines(b"work\n$Junk\nnot one\n") == ("work", "$Junk")
    assert keyword_lines(b"") == ()


def test_subscriptions_are_below_inbox() -> None:
    octets = b"INBOX\nINBOX.Work.sub\nshared.x\nINBOX.Gr\xc3\xbc\xc3\x9fe\n"
    assert subscribed(octets) == [b"", b"Work.sub", b"Gr\xc3\xbc\xc3\x9fe"]


def test_names_are_written_in_either_charset() -> None:
    assert written_name("INBOX") == b"INBOX"
    assert written_name("Gr\u00fc\u00dfe/x") == b"INBOX.Gr&APwA3w-e.x"
    assert written_name("\u00fc/x", utf8=True) == b"INBOX.\xc3\xbc.x"


@given(st.binary(max_size=80))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for parse, start in (
        (parse_uids, b"1 1 1\n"),
        (parse_sizes, b"/3 1 1\n"),
        (parse_sizes, b""),
        (parse_keywords, b"a\n\n"),
    ):
        try:
            parse(start + octets, "f")
        except Unreadable:
            continue
    subscribed(octets)
    keyword_lines(octets)

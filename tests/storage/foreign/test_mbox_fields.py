"""Header fields with UIDs."""

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.foreign.mbox_fields import Base, Fields, base, fields


def test_the_first_message_says_uidvalidity_and_keywords() -> None:
    header = b"Subject: x\nX-IMAPbase: 1795324021 0000000012 Junk\n\t$work\nTo: y\n"
    assert base(header) == Base(1795324021, 12, ("Junk", "$work"))


def test_pine_calls_the_field_otherwise() -> None:
    assert base(b"X-IMAP: 5 0000000012\n") == Base(5, 12)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"X-IMAPbase: 0 1\n",
        b"X-IMAPbase: x 1\n",
        b"X-IMAPbase: 4294967296 1\n",
        b"X-IMAPbase: 1 4294967295\n",
        b"Subject: X-IMAPbase: 1 1\n",
    ],
)
def test_what_is_no_number_says_nothing(header: bytes) -> None:
    assert base(header) is None


def test_a_message_says_its_uid_and_unique_id() -> None:
    header = b'X-UID: 17   \nX-UIDL: Oa%!!gA8"!\nSubject: x\n'
    assert fields(header) == Fields(17, b'Oa%!!gA8"!')


@pytest.mark.parametrize(
    "header",
    [b"X-UID: a\n", b"X-UID: 1 2\n", b"X-UID: 4294967295\n", b"X-UIDL: two words\n"],
)
def test_a_uid_that_is_none_is_not_taken(header: bytes) -> None:
    assert fields(header) == Fields()


@given(
    st.integers(1, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFE),
    st.lists(st.from_regex(r"[$a-z]{1,30}", fullmatch=True), max_size=32),
)
def test_what_is_written_reads_back(
    validity: int, last: int, keywords: list[str]
) -> None:
    said = Base(validity, last, tuple(keywords))
    assert base(b"Subject: x\n" + said.field() + b"To: y\n") == said
    assert max(map(len, said.field().split(b"\n"))) <= 102


@given(st.binary(max_size=80))
def test_any_octets_can_be_looked_at(octets: bytes) -> None:
    base(b"X-IMAPbase: " + octets)
    fields(b"X-UID: 1\n" + octets)

"""``dovecot-uidlist``, versions 1 and 3."""

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.foreign.dovecot_uidlist import Entry, Uidlist, parse
from maildrop.storage.foreign.facts import Unreadable


def test_version_3_has_fields_of_the_mailbox_and_of_each_message() -> None:
    octets = (
        b"3 V1411486463 N23 G3085f01b7f11094c501100008c4a11c1\n"
        b"7 W390 S377 P4ef3.UIDL :1276528487.M364837P9451.host,S=377,W=390\n"
        b"9 :1276528488.M1P1.host\n"
    )
    uidlist = parse(octets, "f")
    assert (uidlist.uid_validity, uidlist.uid_next) == (1411486463, 23)
    assert uidlist.fields == {b"G": b"3085f01b7f11094c501100008c4a11c1"}
    first, second = uidlist.entries
    assert first.uid == 7
    assert first.fields == {b"W": b"390", b"S": b"377", b"P": b"4ef3.UIDL"}
    assert second == Entry(9, b"1276528488.M1P1.host", {})
    assert parse(bytes(uidlist), "f") == uidlist


def test_version_1_is_a_number_and_a_name() -> None:
    uidlist = parse(b"1 99 5\n1 a.b:2,S\n4 c d\n", "f")
    assert uidlist == Uidlist(99, 5, (Entry(1, b"a.b"), Entry(4, b"c d")))


def test_uidnext_follows_from_lines_that_were_appended() -> None:
    assert parse(b"3 V1 N2\n1 :a\n8 :b\n", "f").uid_next == 9


def test_the_later_line_of_a_file_counts() -> None:
    uidlist = parse(b"3 V1 N9\n1 :a\n2 :b\n5 :a\n", "f")
    assert [(e.uid, e.name) for e in uidlist.entries] == [(2, b"b"), (5, b"a")]


def test_a_line_that_was_not_finished_is_left_out() -> None:
    assert len(parse(b"3 V1 N9\n1 :a\n2 :hal", "f").entries) == 1


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "empty"),
        (b"2 1 2\n", "line 1: neither"),
        (b"1 1\n", "line 1: no UIDVALIDITY"),
        (b"3 V0 N1\n", "line 1: UIDVALIDITY"),
        (b"3 V1\n", "line 1: UIDNEXT"),
        (b"3 V4294967296 N1\n", "line 1: UIDVALIDITY"),
        (b"3 V1 N1\nx :a\n", "line 2: the UID"),
        (b"3 V1 N9\n3 :a\n3 :b\n", "line 3: UID 3 follows UID 3"),
        (b"3 V1 N9\n4 :a\n3 :b\n", "line 3: UID 3 follows UID 4"),
        (b"3 V1 N9\n1 :../a\n", "line 2: no file"),
        (b"3 V1 N9\n1 :\n", "line 2: no file"),
        (b"3 V1 N9\n1 :a\0b\n", "line 2: no file"),
        (b"3 V1 N9\n1 :" + b"a" * 20_000 + b"\n", "line 2 is longer"),
    ],
)
def test_what_breaks_the_grammar_is_refused_with_its_line(
    octets: bytes, said: str
) -> None:
    with pytest.raises(Unreadable, match=f"where.*{said}"):
        parse(octets, "where")


names = st.binary(min_size=1, max_size=30).filter(
    lambda name: not {*b"/\n\0 :"} & {*name}
)
values = st.binary(max_size=10).filter(lambda value: not {*b"\n "} & {*value})
keys = st.sampled_from([b"G", b"O", b"P", b"S", b"W"])


@given(
    st.integers(1, 0xFFFFFFFF),
    st.dictionaries(
        names, st.tuples(st.integers(1, 1 << 31), st.dictionaries(keys, values))
    ),
)
def test_what_is_written_reads_back(
    validity: int, messages: dict[bytes, tuple[int, dict[bytes, bytes]]]
) -> None:
    by_uid = {uid: (name, fields) for name, (uid, fields) in messages.items()}
    entries = tuple(
        Entry(uid, name, fields) for uid, (name, fields) in sorted(by_uid.items())
    )
    uid_next = max(by_uid, default=0) + 1
    uidlist = Uidlist(validity, uid_next, entries, {b"G": b"1"})
    assert parse(bytes(uidlist), "f") == uidlist


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for start in (b"", b"3 V1 N1\n", b"1 1 1\n"):
        try:
            uids = [entry.uid for entry in parse(start + octets, "f").entries]
        except Unreadable:
            continue
        assert uids == sorted(set(uids))

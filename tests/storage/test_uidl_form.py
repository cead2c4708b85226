"""Unique ids of POP3 as other servers make them (RFC 1939 section 7)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.storage.index.apply import apply
from maildrop.storage.index.batch import Batch
from maildrop.storage.index.table import IndexTable
from maildrop.storage.uidl_form import NOTE, BadForm, UidlForm, unique_ids


def table(*uids: int) -> IndexTable:
    filled = IndexTable(7)
    batch = Batch(2)
    for uid in uids:
        batch.append(uid, 1, 1, 0, 0, b"name-%d" % uid)
    if uids:
        apply(filled, batch.payload())
    return filled


def own() -> list[bytes]:
    return [b"own"]


@pytest.mark.parametrize(
    ("form", "validity", "shift", "text"),
    [
        (b"%08Xu%08Xv", 1411486463, 0, b"00000018542192ff"),
        (b"UID%u-%v", 9, 3, b"UID27-9"),
        (b"%v.%u", 12, 0, b"12.24"),
        (b"%u", 12, 0, b"24"),
        (b"%%%04u", 1, 0, b"%0024"),
    ],
)
def test_a_form_is_filled_in(
    form: bytes, validity: int, shift: int, text: bytes
) -> None:
    assert UidlForm(form, validity, shift).text(24) == text


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"no variable",
        b"%v",
        b"%u%u",
        b"%f",
        b"%",
        b"%u %v",
        b"%u\xff",
        b"x" * 70 + b"%u",
        b"%099u",
    ],
)
def test_what_makes_no_unique_ids_is_refused(form: bytes) -> None:
    with pytest.raises(BadForm):
        UidlForm(form, 1).pattern()


@given(st.binary(max_size=20), st.integers(0, 0xFFFFFFFF))
def test_any_form_is_refused_or_makes_ids_that_pop3_allows(
    form: bytes, validity: int
) -> None:
    try:
        text = UidlForm(form, validity).text(0xFFFFFFFF)
    except BadForm:
        return
    assert 1 <= len(text) <= 70
    assert all(33 <= octet <= 126 for octet in text)


def test_the_note_reads_back() -> None:
    form = UidlForm(b"%u-%v with text", 77, 5)
    filled = table(1)
    filled.notes[NOTE] = UidlForm(b"%u-%v", 77, 5).note()
    assert UidlForm.of(filled) == UidlForm(b"%u-%v", 77, 5)
    filled.notes[NOTE] = form.note()
    assert UidlForm.of(filled) is None  # blanks are not for POP3


@given(st.binary(max_size=20))
def test_a_note_of_nonsense_is_as_none(note: bytes) -> None:
    filled = table()
    filled.notes[NOTE] = note
    form = UidlForm.of(filled)
    assert form is None or form.text(1)


def test_messages_get_ids_by_the_form_but_for_those_that_are_fixed() -> None:
    filled = table(3, 5, 8)
    filled.notes[NOTE] = UidlForm(b"%u/%v", 7, 10).note()
    filled.uidls = {5: b"fixed", 99: b"of one that is gone"}
    assert unique_ids(filled, own) == [b"13/7", b"fixed", b"18/7"]


def test_without_a_form_the_format_makes_them() -> None:
    filled = table(3)
    assert unique_ids(filled, own) == [b"own"]
    filled.uidls = {3: b"fixed"}
    assert unique_ids(filled, own) == [b"fixed"]

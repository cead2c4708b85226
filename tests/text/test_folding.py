"""Folding: texts that differ by case alone become equal."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from maildrop.text.folding import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HELLO", "hello"),
        ("Grüße", "GRÜSSE"),
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ПРИВЕТ", "привет"),
        ("caf\u00e9", "CAFE\u0301"),
        ("\N{LATIN SMALL LIGATURE FI}n", "FIN"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}", "a"),
        ("\N{MATHEMATICAL BOLD CAPITAL F}ree", "FREE"),
        ("\N{TELEPHONE SIGN}", "Tel"),
    ],
)
def test_case_and_composition_do_not_matter(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def all_at_once(text: str) -> str:
    """Unicode section 3.13, D146: compatibility caseless matching."""
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.casefold())
    return text


def test_accents_matter() -> None:
    assert fold("resume") != fold("résumé")
    assert fold("ä") not in fold("Bar")
    assert fold("a") in fold("Bär")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_ascii_is_lower_case(text: str) -> None:
    assert fold(text) == text.lower()


@given(st.text(max_size=40))
def test_upper_case_folds_to_the_same(text: str) -> None:
    assert fold(text.upper().lower().upper()) == fold(text.upper())


lines = st.text(alphabet="aB\n Äß\N{TELEPHONE SIGN}\u0301\u0327İﬁΣ", max_size=12)


@given(st.lists(lines, max_size=6), st.integers(0, 200))
def test_sparse_text_folds_as_all_of_it(some: list[str], ascii_lines: int) -> None:
    """Which lines are looked at one by one is a matter of speed alone."""
    text = "\n".join([*some, *["Plain"] * ascii_lines])
    assert fold(text) == all_at_once(text)


LATIN = "".join(map(chr, range(256)))


@pytest.mark.parametrize("first", LATIN)
def test_any_two_letters_of_latin_1_fold_as_all_text(first: str) -> None:
    for second in LATIN[128:]:
        text = first + second + first
        assert fold(text) == all_at_once(text)


@given(st.text(alphabet=LATIN))
def test_latin_1_folds_as_all_text(text: str) -> None:
    assert fold(text) == all_at_once(text)


def test_all_of_latin_1_folds_as_all_text() -> None:
    text = LATIN + LATIN[::-1]
    assert fold(text) == all_at_once(text)

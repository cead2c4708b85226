"""Folding: texts that differ by case alone become equal."""

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
    ],
)
def test_case_and_composition_do_not_matter(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_accents_matter() -> None:
    assert fold("resume") != fold("résumé")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_ascii_is_lower_case(text: str) -> None:
    assert fold(text) == text.lower()


@given(st.text(max_size=40))
def test_upper_case_folds_to_the_same(text: str) -> None:
    assert fold(text.upper().lower().upper()) == fold(text.upper())

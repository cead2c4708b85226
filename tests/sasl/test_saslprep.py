"""SASLprep: the examples of RFC 4013 section 3, and what it must never do."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.sasl.saslprep import prepared, saslprep


@pytest.mark.parametrize(
    ("given_text", "wanted"),
    [
        ("I\u00adX", "IX"),  # SOFT HYPHEN mapped to nothing
        ("user", "user"),
        ("USER", "USER"),  # case is kept
        ("\u00aa", "a"),  # NFKC
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),  # other blanks become the one
        ("", ""),
    ],
)
def test_examples_come_out_as_the_rfc_says(given_text: str, wanted: str) -> None:
    assert saslprep(given_text) == wanted


@pytest.mark.parametrize(
    "text", ["\x07", "a\x7f", "\u0627\u0031", "\ufffd", chr(0xD800)]
)
def test_prohibited_text_is_refused_and_kept_by_prepared(text: str) -> None:
    with pytest.raises(ProtocolSyntaxError):
        saslprep(text)
    assert prepared(text) == text


def test_letters_newer_than_unicode_3_2_pass() -> None:
    assert saslprep("\U0001f600 key") == "\U0001f600 key"


def test_text_from_right_to_left_throughout_passes() -> None:
    assert saslprep("\u0627\u0628") == "\u0627\u0628"


@settings(max_examples=60)
@given(st.text(max_size=20))
def test_preparing_twice_is_preparing_once(text: str) -> None:
    once = prepared(text)
    assert prepared(once) == once

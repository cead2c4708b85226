"""Replies on the wire."""

from hypothesis import given, strategies as st

from maildrop.smtp.wire.reply import reply


def test_one_line_has_a_space_after_the_code() -> None:
    """RFC 5321 section 4.2."""
    assert reply(221, "Bye") == b"221 Bye\r\n"


def test_several_lines_have_a_hyphen_and_each_its_enhanced_code() -> None:
    """RFC 5321 section 4.2.1, RFC 2034 section 4."""
    assert reply(550, "No\nNever", "5.1.1") == b"550-5.1.1 No\r\n550 5.1.1 Never\r\n"


@given(st.text(max_size=30))
def test_whatever_the_text_no_further_line_arises(text: str) -> None:
    octets = reply(250, text.replace("\n", " "))
    assert octets.count(b"\n") == octets.count(b"\r") == 1
    assert octets.isascii()

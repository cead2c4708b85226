"""Encoded words: RFC 2047, as written and as sent."""

import pytest
from hypothesis import given, strategies as st

from maildrop.text.words import decode_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 2047 section 8
        (
            b"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>",
            "Keith Moore <moore@cs.utk.edu>",
        ),
        (b"=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=", "Patrik Fältström"),
        (
            b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
            b" =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        ),
        (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
        (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
        (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
        (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        # RFC 2231 section 5
        (b"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        # A letter cut apart between two words
        (b"=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe?=", "Grüße"),
        (b"=?UTF-8?B?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),
        # Base64 without its end
        (b"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),
        (b"=?utf-8?B?R3LDvMOfZ?=", "Grüß"),
        # Words without space around
        (b"Re:=?utf-8?Q?=C3=BC?=!", "Re:ü!"),
        # 8-bit text between
        (b"\xc3\xbc =?utf-8?Q?=C3=9F?= \xc3\xbc", "ü ß ü"),
        (b"caf\xe9", "café"),
        # What is none
        (b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        (b"=?utf-8?Q?abc", "=?utf-8?Q?abc"),
        (b"=?=?=?", "=?=?=?"),
        (b"", ""),
        (b"=?x-unknown-charset?Q?abc?=", "abc"),
        (b"=?utf-8?Q?=zz=4?=", "=zz=4"),
    ],
)
def test_words_are_decoded(value: bytes, text: str) -> None:
    assert decode_words(value) == text


def test_what_was_decoded_is_not_decoded_again() -> None:
    assert decode_words(b"=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=") == "=?utf-8?Q?a?="


PIECES = st.sampled_from(
    [b"=?", b"?=", b"?Q?", b"?b?", b"utf-8", b"=", b"_", b"A", b" ", b"\r\n ", b"\xff"]
)


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_any_octets_are_text(value: bytes) -> None:
    assert isinstance(decode_words(value), str)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_is_encoded_reads_back(text: str) -> None:
    quoted = b"".join(b"=%02X" % octet for octet in text.encode())
    assert decode_words(b"=?utf-8?Q?" + quoted + b"?=") == text

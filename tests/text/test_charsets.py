"""Charsets: whatever mail claims to be becomes text, and nothing raises."""

import pytest
from hypothesis import given, strategies as st

from maildrop.text.charsets import codec_name, decode, supported


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"plain", "", "plain"),
        (b"plain", "us-ascii", "plain"),
        ("Grüße".encode(), "UTF-8", "Grüße"),
        (b"Gr\xfc\xdfe", "ISO-8859-1", "Grüße"),
        (b"Gr\xfc\xdfe", "iso_8859-1", "Grüße"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        (b"\x80", "windows-1252", "€"),
        (b"\xa4", "iso-8859-15", "€"),
        (b"\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251", "Привет"),
        (b"\xf0\xd2\xc9\xd7\xc5\xd4", "KOI8-R", "Привет"),
        ("中文".encode("gb2312"), "GB2312", "中文"),
        ("镕".encode("gbk"), "gb2312", "镕"),
        ("中文".encode("big5"), "chinesebig5", "中文"),
        ("한글".encode("euc-kr"), "ks_c_5601-1987", "한글"),
        ("日本".encode("iso-2022-jp"), "ISO-2022-JP", "日本"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("日本".encode("euc-jp"), "x-euc-jp", "日本"),
        ("שלום".encode("iso8859-8"), "iso-8859-8-i", "שלום"),
        ("Grüße".encode("utf-16"), "utf-16", "Grüße"),
        (b"caf\xe9", "utf-8*en", "café"),
        (b"x", '"utf-8"', "x"),
    ],
)
def test_a_charset_is_read(octets: bytes, charset: str, text: str) -> None:
    assert decode(octets, charset) == text


@pytest.mark.parametrize("charset", ["", "us-ascii", "x-nobody-knows", "unknown-8bit"])
def test_octets_of_no_known_charset_are_utf_8_if_they_can_be(charset: str) -> None:
    assert decode("Grüße".encode(), charset) == "Grüße"


@pytest.mark.parametrize("charset", ["", "us-ascii", "x-nobody-knows", "utf-8"])
def test_other_octets_are_windows_1252(charset: str) -> None:
    assert decode(b"Gr\xfc\xdfe", charset) == "Grüße"


def test_utf_8_cut_within_a_letter_stays_utf_8() -> None:
    text = decode("Grüße und Küsse".encode()[:-1] + "ß".encode()[:1])
    assert text.startswith("Grüße und Küss")
    assert text.endswith("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    "name",
    [
        "rot13",
        "base64",
        "zip",
        "hex",
        "uu",
        "bz2",
        "quopri",
        "punycode",
        "idna",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "mbcs",
        "../../etc/passwd",
        "aliases",
        "x" * 1000,
        "utf\0",
        "ütf-8",
    ],
)
def test_what_is_no_charset_is_unknown(name: str) -> None:
    assert codec_name(name) is None
    assert decode(b"abc", name) == "abc"


def test_what_a_client_may_name_is_supported() -> None:
    """RFC 3501 section 6.4.4: US-ASCII MUST be supported."""
    assert supported("US-ASCII")
    assert supported("utf-8")
    assert supported("ISO-8859-5")
    assert not supported("x-unheard-of")
    assert not supported("")


CHARSETS = st.sampled_from(
    [
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "utf-16",
        "utf-32",
        "utf-7",
        "iso-2022-jp",
        "iso-2022-kr",
        "hz",
        "shift_jis",
        "gb2312",
        "big5",
        "big5-hkscs",
        "euc-kr",
        "euc-jp",
        "koi8-r",
        "windows-1255",
        "cp437",
        "cp874",
        "mac-roman",
        "nonsense",
    ]
)


@given(st.binary(max_size=60), CHARSETS)
def test_any_octets_in_any_charset_are_text(octets: bytes, charset: str) -> None:
    assert isinstance(decode(octets, charset), str)


@given(st.binary(max_size=20), st.text(max_size=20))
def test_any_name_is_a_charset_or_not(octets: bytes, charset: str) -> None:
    assert isinstance(decode(octets, charset), str)

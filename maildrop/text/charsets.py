"""Charsets: octets of mail to text, whatever they claim to be.

In this file:
    decode       octets to text; never fails
    codec_name   the Python codec for a MIME charset name
    supported    whether a charset is known (SEARCH CHARSET: RFC 3501 section 6.4.4)

Names are IANA's, without case, and the ones that mail programs made up.  Mail that
calls itself by a subset of what it is written in (us-ascii, iso-8859-1 from Windows,
gb2312 with GBK letters, ks_c_5601 with UHC letters) is read as the superset.

A name that nobody knows: UTF-8 if the octets are that, else windows-1252, which is what
such mail mostly was, with U+FFFD for what even that has no letter for.

Security: only codecs from octets to text are used; a charset called "zip" or "rot13" is
unknown.  Names that Python does not list are never looked up: it would search the disk
for each, and remember each for good.
"""

import codecs
import functools
from encodings.aliases import aliases
from typing import Final

#: Longest charset name that is looked up, in octets.
NAME_MAX: Final = 64

#: MIME name (lower case, "_" as "-") -> Python codec.
_ALIASES: Final[dict[str, str]] = {
    "": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "7bit": "utf-8",
    "8bit": "utf-8",
    "binary": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16",
    "utf8": "utf-8",
    "utf-8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "windows-1252": "cp1252",
    "x-ansi": "cp1252",
    "ansi": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "gb2312": "gb18030",
    "gb-2312": "gb18030",
    "gb-2312-80": "gb18030",
    "x-gbk": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "euc-cn": "gb18030",
    "big5": "cp950",
    "x-big5": "cp950",
    "cn-big5": "cp950",
    "chinesebig5": "cp950",
    "big5-hkscs": "big5hkscs",
    "ks-c-5601": "cp949",
    "ks-c-5601-1987": "cp949",
    "ks-c-5601-1989": "cp949",
    "euc-kr": "cp949",
    "korean": "cp949",
    "windows-949": "cp949",
    "x-windows-949": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "csiso2022jp": "iso2022_jp_ext",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "shift-jis": "cp932",
    "shift-jisx0213": "shift_jisx0213",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ms-kanji": "cp932",
    "x-euc-jp": "euc_jp",
    "eucjp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ce": "mac_latin2",
    "x-user-defined": "cp1252",
    "x-unknown": "utf-8",
    "none": "utf-8",
    "unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "default": "utf-8",
    "default-charset": "utf-8",
}

#: Codecs without an alias in Python.
_UNLISTED: Final = (
    "cp720 cp737 cp856 cp874 cp875 cp1006 koi8_r koi8_t koi8_u mac_arabic mac_croatian "
    "mac_farsi mac_romanian utf_8_sig"
)

#: Names of Python's codecs, as ``codecs.lookup`` spells them out.
_KNOWN: Final = (
    frozenset(aliases) | frozenset(aliases.values()) | {*_UNLISTED.split()}
) - {"ansi", "dbcs", "mbcs", "oem"}

#: Codecs that are no charsets of mail although they give text, and those that do not.
_NO_CHARSETS: Final = frozenset(
    {"base64", "bz2", "hex", "quopri", "rot-13", "uu", "zlib", "punycode", "idna"}
    | {"unicode_escape", "unicode-escape", "raw_unicode_escape", "raw-unicode-escape"}
)


@functools.lru_cache(maxsize=256)
def codec_name(charset: str) -> str | None:
    """The Python codec that reads a MIME charset, None when it is not known.

    Args:
        charset: As the message writes it; an RFC 2231 language (``utf-8*en``), quotes
            and spaces around it do no harm.
    """
    name = charset[:NAME_MAX].partition("*")[0].strip(" \t\r\n\"'").lower()
    name = name.replace("_", "-")
    if name in _ALIASES:
        return _ALIASES[name]
    if not name.isascii() or not name.isprintable():
        return None
    for candidate in (name, name.removeprefix("x-"), name.replace("windows-", "cp")):
        if candidate.replace("-", "_") in _KNOWN:
            found = codecs.lookup(candidate).name
            return None if found in _NO_CHARSETS else found
    return None


def supported(charset: str) -> bool:
    """Whether a client may name it in SEARCH CHARSET."""
    return bool(charset.strip()) and codec_name(charset) is not None


def decode(octets: bytes, charset: str = "") -> str:
    """Octets as text.

    Args:
        octets: Anything.
        charset: What the message says it is; empty when it says nothing.
    """
    name = codec_name(charset)
    if name is None or name == "utf-8":
        return _guessed(octets)
    try:
        return octets.decode(name)
    except UnicodeError:
        return octets.decode(name, "replace")


def _guessed(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("utf-8", "replace")
    # Broken UTF-8 is still likelier than a charset of single octets if most of it is
    # right, as when it was cut within a letter.
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    if broken * 4 < len(octets) - len(octets.decode("ascii", "ignore")):
        return text
    return octets.decode("cp1252", "replace")

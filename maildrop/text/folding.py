"""Case folding for search and comparison.

In this file:
    fold    a form in which texts that differ by case alone are equal

RFC 5051 (i;unicode-casemap) maps to title case and decomposes; ``fold`` does Unicode's
full case folding and compatibility decomposition instead, which makes the same texts
equal and some more ("ß" and "ss").  Accents are kept: "a" does not find "ä".
"""

import unicodedata
from typing import Final

#: Where fewer than one in so many characters are not ASCII, many lines are.
_SPARSE: Final = 16


def fold(text: str) -> str:
    """``text`` decomposed and without case."""
    if text.isascii():
        return text.lower()
    beyond = len(text.encode("utf-8", "surrogatepass")) - len(text)
    if beyond * _SPARSE > len(text):
        return _fold(text)
    # Nothing is composed or put in order across the end of a line.
    lines = text.split("\n")
    return "\n".join([li.lower() if li.isascii() else _fold(li) for li in lines])


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKD", text.casefold())

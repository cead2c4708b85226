"""Case folding for search and comparison.

In this file:
    fold    a form in which texts that differ by case alone are equal

RFC 5051 (i;unicode-casemap) maps to title case and decomposes; ``fold`` does Unicode's
full case folding and compatibility decomposition instead, which makes the same texts
equal and some more ("ß" and "ss").  Accents are kept: "a" does not find "ä".
"""

import unicodedata


def fold(text: str) -> str:
    """``text`` decomposed and without case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text.casefold())

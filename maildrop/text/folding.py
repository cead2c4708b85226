"""Case folding for search and comparison.

In this file:
    fold    a form in which texts that differ by case alone are equal

RFC 5051 (i;unicode-casemap) maps to title case and decomposes; ``fold`` does Unicode's
full case folding and compatibility decomposition instead, which makes the same texts
equal and some more ("ß" and "ss"; bold letters of mathematics and plain ones).  Accents
are kept, behind their letters: "ä" finds no "a", while "a" is a part of "ä", as in
RFC 5051.

Whole mailboxes are folded by the first search in them, so common texts take shorter
ways: ASCII, Latin-1, and lines of ASCII among others.
"""

import unicodedata
from graphlib import TopologicalSorter
from typing import Final

#: Where fewer than one in so many octets of UTF-8 are more than ASCII needs, many lines
#: are ASCII.
_SPARSE: Final = 16
_ASCII: Final = bytes(range(128))


def fold(text: str) -> str:
    """``text`` decomposed and without case."""
    if text.isascii():
        return text.lower()
    try:
        return _fold_latin(text.encode("latin-1"))
    except UnicodeEncodeError:
        pass
    beyond = len(text.encode("utf-8", "surrogatepass")) - len(text)
    if beyond * _SPARSE > len(text):
        return _fold(text)
    # Nothing is composed or put in order across the end of a line.
    lines = text.split("\n")
    return "\n".join([li.lower() if li.isascii() else _fold(li) for li in lines])


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    # Unicode section 3.13, D146: some letters turn out to be capitals only now.
    again = folded.casefold()
    return folded if again == folded else unicodedata.normalize("NFKD", again)


def _lower(octet: int) -> int:
    """The one letter of Latin-1 that an octet folds to before it is decomposed."""
    folded = chr(octet).casefold()
    return ord(folded) if len(folded) == 1 and ord(folded) < 256 else octet


_LOWER: Final = bytes(map(_lower, range(256)))
#: An octet of Latin-1 that is no capital -> what it folds to, in UTF-8.
_FOLDED: Final = {octet: _fold(chr(octet)).encode() for octet in {*_LOWER} - {*_ASCII}}
#: Before an octet all others that stand in what it folds to: so none is taken for one
#: of the text that was put there for another.
_ORDER: Final = TopologicalSorter(
    {octet: _FOLDED.keys() & {*folded} - {octet} for octet, folded in _FOLDED.items()}
)
_PLACE: Final = {octet: place for place, octet in enumerate(_ORDER.static_order())}


def _fold_latin(octets: bytes) -> str:
    octets = octets.translate(_LOWER)
    for octet in sorted({*octets.translate(None, _ASCII)}, key=_PLACE.__getitem__):
        octets = octets.replace(bytes((octet,)), _FOLDED[octet])
    return octets.decode()

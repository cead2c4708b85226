"""SASLprep: one spelling for names and passwords that look the same (RFC 4013).

In this file:
    saslprep    a string prepared
    prepared    a string prepared where the profile allows it, else as it is
"""

import stringprep
import unicodedata
from collections.abc import Callable
from typing import Final

from maildrop.errors import ProtocolSyntaxError

#: RFC 4013 section 2.3.
_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """``text`` in the form in which it is compared and stored.

    Code points that Unicode 3.2 does not know are let through, as RFC 4013 section 2.5
    has it for queries: passwords with newer letters and emoji stay usable.

    Raises:
        ProtocolSyntaxError: A prohibited character, or directions mixed (RFC 3454
            section 6).
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for char in normal:
        if any(prohibits(char) for prohibits in _PROHIBITED):
            raise ProtocolSyntaxError("character that SASLprep prohibits")
    if any(stringprep.in_table_d1(char) for char in normal):
        _check_right_to_left(normal)
    return normal


def _check_right_to_left(text: str) -> None:
    """RFC 3454 section 6, requirements 2 and 3."""
    if any(stringprep.in_table_d2(char) for char in text) or not (
        stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    ):
        raise ProtocolSyntaxError("writing directions mixed")


def prepared(text: str) -> str:
    """``text`` prepared, or unchanged when the profile prohibits it.

    For passwords: one that was set elsewhere with a control character, or in an old
    character set, can still be given octet for octet.
    """
    try:
        return saslprep(text)
    except ProtocolSyntaxError:
        return text

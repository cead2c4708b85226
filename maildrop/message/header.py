r"""Header blocks: where they end, and the fields in them.

In this file:
    header_end     where the header of a message or part ends
    scan           the fields of a header: line, name, value
    collect        values by lower-case name, in order
    unfolded       a value on one line
    select         the lines of some fields, or of all others

Grammar: RFC 5322 section 2.2, with white space before the colon allowed (section
4.5).  A header ends at the first empty line; a line without a colon is kept by
``select`` and belongs to no field.  Names are ASCII without case.

Limits: ``Limits.header_octets``, ``Limits.fields``; the rest is not looked at.

Security: one regular expression, whose quantifiers never give back what they took, so
a header costs time in proportion to its length whatever it holds.
"""

import re
from collections.abc import Collection
from typing import Final

from maildrop.message.limits import DEFAULT, Limits, Octets

_VALUE: Final = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+"
#: Needs the LF before the field; the value ends with its CR.
_FIELD: Final = re.compile(rb"\n(([!-9;-~]++)[ \t]*+:[ \t]*+(" + _VALUE + rb"))")
_LINE: Final = re.compile(rb"[^\n]++(?:\n[ \t][^\n]*+)*+\n?")
_NAME: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_FOLD: Final = re.compile(rb"[\r\n]++(?=[ \t]|\Z)")
_BREAK: Final = re.compile(rb"[\r\n]++")

Field = tuple[bytes, bytes, bytes]


def header_end(octets: Octets, start: int, end: int) -> tuple[int, int]:
    """Where the fields end (after their last CRLF) and where the body starts.

    Without an empty line all of it is header; both numbers are ``end`` then.
    """
    if octets[start : start + 2] == b"\r\n" and start + 2 <= end:
        return start, start + 2
    found = octets.find(b"\n\r\n", start, end)
    if found < 0:
        return end, end
    return found + 1, found + 3


def scan(octets: Octets, start: int, end: int, limits: Limits = DEFAULT) -> list[Field]:
    """The fields between two offsets, in order.

    Returns:
        Line (with its CR, without the LF), name as written, value (from the first
        octet that is no space to the CR; ``cleaned`` makes one of its line).
    """
    if end - start > limits.header_octets:
        cut = octets.rfind(b"\n", start, start + limits.header_octets)
        end = max(cut, start)
    found: list[Field] = _FIELD.findall(b"\n" + octets[start:end])
    if len(found) > limits.fields:
        del found[limits.fields :]
    return found


def collect(fields: list[Field], wanted: Collection[bytes]) -> dict[bytes, list[bytes]]:
    """The values of some fields, lower-case name -> values as ``cleaned``."""
    found: dict[bytes, list[bytes]] = {}
    for line, name, value in fields:
        lower = name.lower()
        if lower in wanted:
            if b"\n" not in value and len(value) > 1 and value.endswith(b"\r"):
                clean = value[:-1]
            else:
                clean = cleaned(line)
            if lower in found:
                found[lower].append(clean)
            else:
                found[lower] = [clean]
    return found


def cleaned(line: bytes) -> bytes:
    """The value in a line, without the space after the colon and the last CR.

    Folds stay as one LF.  A first line that holds nothing but white space keeps all of
    it but one octet.
    """
    value = line.partition(b":")[2]
    if value.endswith(b"\r"):
        value = value[:-1]
    if b"\n" not in value:
        return value.lstrip(b" \t") or value[1:]
    first, rest = value.replace(b"\r\n", b"\n").split(b"\n", 1)
    return (first.lstrip(b" \t") or first[1:]) + b"\n" + rest


def unfolded(value: bytes) -> bytes:
    """A value on one line: RFC 5322 section 2.2.3; a stray CR or LF is a space."""
    if b"\n" in value or b"\r" in value:
        return _BREAK.sub(b" ", _FOLD.sub(b"", value))
    return value


def select(header: bytes, names: Collection[bytes], *, without: bool = False) -> bytes:
    """The lines of some fields (RFC 3501 section 6.4.5, HEADER.FIELDS).

    Args:
        header: All fields, with the empty line that ends them if there is one.
        names: In upper case.
        without: All but the lines of these (HEADER.FIELDS.NOT).

    Returns:
        Lines and an empty line; with ``without`` that one only if ``header`` has it.
    """
    if without:
        return b"".join(
            line
            for line in _LINE.findall(header)
            if (name := _NAME.match(line)) is None or name[1].upper() not in names
        )
    kept = [
        line
        for line, name, _ in _FIELD.findall(b"\n" + header.rstrip(b"\n"))
        if name.upper() in names
    ]
    if not kept:
        return b"\r\n"
    if not kept[-1].endswith(b"\r"):
        kept[-1] += b"\r"
    return b"\n".join(kept) + b"\n\r\n"

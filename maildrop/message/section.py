"""Sections of a message: what BODY[...] names.

In this file:
    section     the octets of a section
    find        the part that a path of numbers names

Grammar: RFC 3501 section 6.4.5 and section 9, "section-spec".  The numbers are those of
BODYSTRUCTURE: a message that is no multipart has one part, 1, which is its body.
"""

from collections.abc import Sequence

from maildrop.message.header import header_end, select
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.structure import Kind, Part, structure


def section(
    octets: Octets,
    path: tuple[int, ...],
    kind: bytes = b"",
    fields: tuple[bytes, ...] = (),
    limits: Limits = DEFAULT,
) -> bytes | None:
    """The octets of BODY[path.kind].

    Args:
        octets: A message with CRLF line ends.
        path: Part numbers, empty for the message itself.
        kind: ``b""``, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME.
        fields: Field names for the two that take them, in any case.
        limits: How far to look.

    Returns:
        None if there is no such part.
    """
    if not path:
        return _of_message(octets, _whole(octets), kind, fields) if kind else octets[:]
    part = find(structure(octets, limits), path)
    if part is None:
        return None
    if not kind:
        return octets[part.body : part.end]
    if kind == b"MIME":
        return octets[part.start : part.body]
    if part.kind is not Kind.MESSAGE:
        return None
    return _of_message(octets, part.children[0], kind, fields)


def _whole(octets: Octets) -> Part:
    """The message, without a look at what is in it."""
    message = Part(0)
    _, message.body = header_end(octets, 0, len(octets))
    message.end = len(octets)
    return message


def _of_message(
    octets: Octets, message: Part, kind: bytes, fields: tuple[bytes, ...]
) -> bytes | None:
    header = octets[message.start : message.body]
    if kind in {b"HEADER", b"MIME"}:
        return header
    if kind == b"TEXT":
        return octets[message.body : message.end]
    if kind in {b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"}:
        names = frozenset(name.upper() for name in fields)
        return select(header, names, without=kind == b"HEADER.FIELDS.NOT")
    return None


def find(root: Part, path: Sequence[int]) -> Part | None:
    """The part that numbers name, None if there is none.

    RFC 3501 section 6.4.5: numbers count the parts of a multipart, or of the message in
    a message/rfc822; a message that is no multipart has itself as its part 1.
    """
    part = within = root
    is_message = True
    for number in path:
        if within.kind is Kind.MULTIPART:
            if 1 <= number <= len(within.children):
                part = within.children[number - 1]
            elif number == 1:
                # BODYSTRUCTURE shows an empty text in a multipart without parts.
                part = Part(within.end)
            else:
                return None
        elif is_message and number == 1:
            part = within
        else:
            return None
        is_message = part.kind is Kind.MESSAGE
        within = part.children[0] if is_message else part
    return part

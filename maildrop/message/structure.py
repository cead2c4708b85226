r"""The tree of body parts of a message, found in one pass over its octets.

In this file:
    Part         a message or body part: where it lies, and what its header says
    Kind         leaf, multipart, or message/rfc822
    structure    octets -> the root part

Grammar: RFC 2046 section 5.1 (multipart), 5.1.5 (digest), 5.2.1 (message/rfc822).
A delimiter line is CRLF, "--" and a boundary, followed by anything; the CRLF before it
is part of it.  It may be that of any multipart that is open: the innermost, unless an
outer one's boundary fits a longer piece of the line, so that boundaries that start
alike are told apart.  What is still open inside of it ends there.

MIME that is broken: without Mime-Version and Content-Type a message is plain text,
other Content fields notwithstanding.  A Content-Type that cannot be read means
text/plain (RFC 2045 section 5.2).  A multipart without boundary has no parts.  A header
that runs into a delimiter ends there.

Limits: ``Limits.depth`` and ``Limits.parts``; a multipart or message below the last
level, or after the last part, is a leaf.

Security: each open boundary is searched for once in each octet, and only up to the next
delimiter of those around it, so the time is at most length times depth.
"""

import enum
from typing import Final

from maildrop.message.header import Field, collect, header_end, scan
from maildrop.message.limits import DEFAULT, Limits, Octets
from maildrop.message.parameters import Parameters, decoded, media_type, parameter

#: RFC 2046 section 5.1.1 has 70; more is compared only up to here.
BOUNDARY_MAX: Final = 80

CONTENT_FIELDS: Final = frozenset(
    {
        b"content-type",
        b"content-transfer-encoding",
        b"content-disposition",
        b"content-id",
        b"content-description",
        b"content-language",
        b"content-location",
        b"content-md5",
    }
)

ENVELOPE_FIELDS: Final = frozenset(
    {
        b"date",
        b"subject",
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"bcc",
        b"in-reply-to",
        b"message-id",
    }
)

#: Fields that matter in the header of a message, and in that of a body part.
MESSAGE_FIELDS: Final = CONTENT_FIELDS | ENVELOPE_FIELDS | {b"mime-version"}

Values = dict[bytes, list[bytes]]


class Kind(enum.Enum):
    """What is inside a part."""

    LEAF = enum.auto()
    MULTIPART = enum.auto()
    MESSAGE = enum.auto()


class Part:
    """A message or a body part.

    Attributes:
        start: Offset of its header.
        body: Offset of its body.
        end: Offset after its body.
        kind: What it consists of.
        children: The parts of a multipart; of a message/rfc822 the one message in it.
        fields: Values by lower-case name, those that ENVELOPE and BODYSTRUCTURE show.
        media_type: Type, subtype and parameters; None when nothing (readable) is said.
        digest: It is a multipart/digest.
        cut: It was to have parts and is a leaf because of a limit.
    """

    __slots__ = (
        "body",
        "children",
        "cut",
        "digest",
        "end",
        "fields",
        "kind",
        "media_type",
        "start",
    )

    def __init__(self, start: int) -> None:
        self.start = start
        self.body = start
        self.end = start
        self.kind = Kind.LEAF
        self.children: list[Part] = []
        self.fields: Values = {}
        self.media_type: tuple[bytes, bytes, Parameters] | None = None
        self.digest = False
        self.cut = False

    @property
    def is_text(self) -> bool:
        """Whether it is text, by what it says or by default."""
        if self.kind is not Kind.LEAF or self.cut:
            return False
        return self.media_type is None or self.media_type[0].lower() == b"text"


def structure(
    octets: Octets, limits: Limits = DEFAULT, fields: list[Field] | None = None
) -> Part:
    """The root of the tree.

    Args:
        octets: A message with CRLF line ends.
        limits: How far to look.
        fields: What ``scan`` gave for the message's own header, if that was done.
    """
    return _Scanner(octets, limits).scan(fields)


class _Delimiters:
    """The boundaries of the multiparts that are open, and where they come next.

    Attributes:
        parts: The multiparts, outermost first; the other lists go along with it.
    """

    __slots__ = ("_needles", "_next", "_octets", "_size", "parts")

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._size = len(octets)
        self.parts: list[Part] = []
        self._needles: list[bytes] = []
        #: Offset of the LF before the delimiter, or one before which none comes.
        self._next: list[int] = []

    def push(self, part: Part, boundary: bytes) -> None:
        self.parts.append(part)
        self._needles.append(b"\n--" + boundary)
        self._next.append(-1)

    def truncate(self, count: int) -> None:
        """Forget all but the ``count`` outermost."""
        del self.parts[count:], self._needles[count:], self._next[count:]

    def find(self, pos: int) -> int:
        """The offset of the next delimiter line at or after ``pos``, a line's start.

        The size of the message if there is none.
        """
        nearest = self._size
        lf = pos - 1
        octets, ahead = self._octets, self._next
        for index, needle in enumerate(self._needles):
            at = ahead[index]
            if at < lf:
                # Further than the nearest delimiter of an outer one it cannot matter:
                # there it is closed.
                bound = min(nearest + len(needle), self._size)
                at = octets.find(needle, lf, bound)
                at = nearest if at < 0 else at
                ahead[index] = at
            nearest = min(nearest, at)
        return nearest + 1 if nearest < self._size else self._size

    def owner(self, pos: int, end: int) -> tuple[int, bool]:
        """Whose delimiter stands at ``pos``: index, and whether it closes."""
        if len(self._needles) == 1:
            behind = pos + len(self._needles[0]) - 1
            return 0, self._octets[behind : min(behind + 2, end)] == b"--"
        line = self._octets[pos + 2 : min(end, pos + BOUNDARY_MAX + 8)].rstrip(b"\r\n")
        best, length = -1, -1
        for index in range(len(self.parts) - 1, -1, -1):
            boundary = self._needles[index][3:]
            if len(boundary) > length and line.startswith(boundary):
                best, length = index, len(boundary)
                if line[length:] in {b"", b"--"}:
                    break
        return best, line.startswith(b"--", length)


class _Scanner:
    __slots__ = ("_delimiters", "_limits", "_octets", "_open", "_parts", "_size")

    def __init__(self, octets: Octets, limits: Limits) -> None:
        self._octets = octets
        self._size = len(octets)
        self._limits = limits
        self._open: list[Part] = []
        self._delimiters = _Delimiters(octets)
        self._parts = 1

    def scan(self, fields: list[Field] | None) -> Part:
        octets = self._octets
        root = Part(0)
        self._open.append(root)
        self._read_message_header(root, self._size, fields)
        while True:
            current = self._open[-1]
            if current.kind is Kind.MESSAGE and not current.children:
                self._begin_message(current)
                continue
            # A leaf, or before the first or behind the last part of a multipart.
            pos = current.end
            if not self._delimiters.parts or self._parts >= self._limits.parts:
                self._close(0, self._size)
                return root
            at = self._delimiters.find(pos)
            if at >= self._size:
                self._close(0, self._size)
                return root
            line_end = octets.find(b"\n", at) + 1
            index, closes = self._delimiters.owner(at, line_end or self._size)
            if not self._end_parts(index, self._end_before(at), closes, line_end):
                return root

    def _end_before(self, at: int) -> int:
        """Where the innermost open part ends when a delimiter stands at ``at``.

        RFC 2046 section 5.1.1: the CRLF before a delimiter is part of it, also the one
        behind a delimiter that closes an inner multipart; not the one that ends a
        header.
        """
        before = at - 2 if self._octets[at - 2 : at - 1] == b"\r" else at - 1
        current = self._open[-1]
        if current.kind is Kind.MULTIPART and current.children:
            return before
        return max(before, current.body)

    def _end_parts(self, index: int, end: int, closes: bool, line_end: int) -> bool:
        """A delimiter: end what it ends, begin what it begins."""
        owner = self._delimiters.parts[index]
        self._close(self._open.index(owner) + 1, end)
        self._delimiters.truncate(index if closes else index + 1)
        if not line_end:
            self._close(0, self._size)
            return False
        owner.end = line_end
        if not closes:
            part = Part(line_end)
            self._parts += 1
            owner.children.append(part)
            self._open.append(part)
            self._read_part_header(part, owner)
        return True

    def _close(self, count: int, end: int) -> None:
        """End the open parts but the ``count`` outermost."""
        for part in self._open[count:]:
            part.end = end
        del self._open[count:]

    def _begin_message(self, outer: Part) -> None:
        child = Part(outer.body)
        self._parts += 1
        outer.children.append(child)
        self._open.append(child)
        self._read_message_header(child, self._delimiters.find(outer.body), None)

    def _read_message_header(
        self, part: Part, bound: int, fields: list[Field] | None
    ) -> None:
        whole = self._place_header(part, bound)
        if fields is None:
            fields = scan(self._octets, part.start, part.body, self._limits)
        values = collect(fields, MESSAGE_FIELDS)
        if b"mime-version" not in values and b"content-type" not in values:
            values = {k: v for k, v in values.items() if k in ENVELOPE_FIELDS}
        part.fields = values
        self._read_type(part, whole=whole)

    def _read_part_header(self, part: Part, parent: Part) -> None:
        whole = self._place_header(part, self._delimiters.find(part.start))
        if part.body > part.start:
            fields = scan(self._octets, part.start, part.body, self._limits)
            part.fields = collect(fields, CONTENT_FIELDS)
        if parent.digest and b"content-type" not in part.fields:
            self._enter_message(part, whole=whole)
        else:
            self._read_type(part, whole=whole)

    def _place_header(self, part: Part, bound: int) -> bool:
        """Set where the body starts; whether the header has an end of its own."""
        fields_end, body = header_end(self._octets, part.start, bound)
        whole = body > fields_end
        if not whole and bound < self._size and bound > part.start:
            # It ran into a delimiter, which owns the CRLF.
            body = (
                bound - 2 if self._octets[bound - 2 : bound - 1] == b"\r" else bound - 1
            )
            body = max(body, part.start)
        part.body = part.end = body
        return whole

    def _read_type(self, part: Part, *, whole: bool) -> None:
        values = part.fields.get(b"content-type")
        if values is None:
            return
        part.media_type = found = media_type(values[0], self._limits)
        if found is None:
            return
        kind, subtype, parameters = found
        kind = kind.lower()
        if kind == b"multipart":
            self._enter_multipart(part, parameters, whole=whole)
            part.digest = subtype.lower() == b"digest"
        elif kind == b"message" and subtype.lower() == b"rfc822":
            self._enter_message(part, whole=whole)

    def _enter_multipart(
        self, part: Part, parameters: Parameters, *, whole: bool
    ) -> None:
        boundary = parameter(parameters, b"boundary")
        if boundary is None:
            # RFC 2231 section 4: any parameter may be encoded.
            text = decoded(parameters, b"boundary")
            boundary = None if text is None else text.encode("utf-8", "replace")
        if boundary is None or not whole:
            part.kind = Kind.MULTIPART
        elif len(self._open) >= self._limits.depth:
            part.cut = True
        else:
            part.kind = Kind.MULTIPART
            self._delimiters.push(part, boundary[:BOUNDARY_MAX])

    def _enter_message(self, part: Part, *, whole: bool) -> None:
        if len(self._open) >= self._limits.depth or self._parts >= self._limits.parts:
            part.cut = True
            return
        part.kind = Kind.MESSAGE
        if not whole:
            # The header ran into a delimiter, or the end: an empty message.
            self._parts += 1
            part.children.append(Part(part.body))

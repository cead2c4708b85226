"""How much of a message is looked at; what lies beyond is opaque text, never an error.

In this file:
    Limits     the numbers, each with a default
    DEFAULT    the defaults
    Octets     what a message is given as
"""

import mmap
from dataclasses import dataclass
from typing import Final

#: A whole message with CRLF line ends, in memory or mapped.
Octets = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the scanner.

    Attributes:
        depth: Levels of multipart and message/rfc822; deeper ones are shown as
            application/octet-stream.
        parts: Body parts of a message; after the last one boundaries are text.
        header_octets: Octets of one header that are looked at for fields.
        fields: Fields of one header that are looked at.
        addresses: Addresses of one ENVELOPE address list; further ones are left out.
        parameters: Parameters of one Content-Type or Content-Disposition field.
        text_octets: Decoded characters of a message that search looks at.
    """

    depth: int = 100
    parts: int = 10_000
    header_octets: int = 1 << 18
    fields: int = 10_000
    addresses: int = 10_000
    parameters: int = 1_000
    text_octets: int = 1 << 22


DEFAULT: Final = Limits()

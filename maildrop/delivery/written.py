"""A message as programs and files of the host get it.

In this file:
    written    its octets in pieces, LF line ends

Return-Path and Delivered-To (RFC 9228) stand before it, and before these a From_ line
if that is wanted, as local(8) has it: sendmail's programs have known it for decades.
"""

import mmap
import time
from collections.abc import Iterator
from typing import Final

_PIECE: Final = 1 << 20
#: The years 1970 to 9999, in seconds since 1970 UTC.
_LAST: Final = 253402300799


def written(
    octets: bytes | mmap.mmap,
    sender: str,
    recipient: str,
    arrived: float,
    *,
    from_line: bool,
) -> Iterator[bytes]:
    """The message in pieces.

    Args:
        octets: As it is in the queue, CRLF line ends.
        sender: The reverse path, empty for ``<>``.
        recipient: For whom.
        arrived: When it came, seconds since 1970 UTC.
        from_line: Whether it begins with a From_ line.
    """
    head = b""
    if from_line:
        name = "".join(sender.split()) or "MAILER-DAEMON"
        date = time.asctime(time.gmtime(min(max(arrived, 0), _LAST)))
        head = f"From {name} {date}\n".encode()
    fields = f"Return-Path: <{sender}>\n".encode()
    mark = f"Delivered-To: {recipient}".encode()
    if octets[: len(mark) + 2] != mark + b"\r\n":  # it may have come so already
        fields += mark + b"\n"
    yield head + fields
    held = b""
    for at in range(0, len(octets), _PIECE):
        piece = held + octets[at : at + _PIECE]
        held = b"\r" if piece.endswith(b"\r") else b""
        yield piece[: len(piece) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held

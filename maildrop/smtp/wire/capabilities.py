"""What another server can do: its answer to EHLO or LHLO.

In this file:
    Capabilities    the extensions that matter to a client
    capabilities    those of an answer

Grammar: RFC 5321 section 4.1.1.1: the first line greets, each later one is a keyword in
any case and its parameters.  ``AUTH=LOGIN PLAIN`` is how servers wrote AUTH before RFC
4954, for clients of that time; it is read too.  What is malformed is not offered.
"""

from dataclasses import dataclass
from typing import Final

from maildrop.smtp.wire.replies import Reply

#: Digits of the largest size that is believed.
_DIGITS_MAX: Final = 18


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that matter to a client.

    Attributes:
        name: What the server calls itself, in lower case.
        pipelining: RFC 2920.
        chunking: RFC 3030.
        eight_bit: RFC 6152.
        smtputf8: RFC 6531.
        dsn: RFC 3461.
        starttls: RFC 3207.
        etrn: RFC 1985.
        size: RFC 1870: None if it is not offered, 0 if there is no fixed limit.
        mechanisms: RFC 4954.
    """

    name: str = ""
    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    etrn: bool = False
    size: int | None = None
    mechanisms: tuple[str, ...] = ()


def capabilities(reply: Reply) -> Capabilities:
    """Those of an answer to EHLO."""
    found: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        words = line.upper().replace("AUTH=", "AUTH ", 1).split()
        if words:
            found.setdefault(words[0], []).extend(words[1:])
    name = reply.lines[0].split()
    return Capabilities(
        name=name[0].lower() if name else "",
        pipelining="PIPELINING" in found,
        chunking="CHUNKING" in found,
        eight_bit="8BITMIME" in found,
        smtputf8="SMTPUTF8" in found,
        dsn="DSN" in found,
        starttls="STARTTLS" in found,
        etrn="ETRN" in found,
        size=_size(found["SIZE"]) if "SIZE" in found else None,
        mechanisms=tuple(dict.fromkeys(found.get("AUTH", ()))),
    )


def _size(words: list[str]) -> int:
    """Zero, and what is no number, is no limit (RFC 1870 section 4)."""
    if words and words[0].isdecimal() and len(words[0]) <= _DIGITS_MAX:
        return int(words[0])
    return 0

"""The grammar of POP3 commands.

In this file:
    Command      one command, its arguments read
    parse        a line into a Command
    KEYWORDS     the commands there are

Grammar, RFC 1939 section 9, RFC 2449 section 5, RFC 5034 section 4, RFC 6856:

    command   = keyword [ SP arguments ]      ; keyword in any case
    LIST UIDL = [ number ]
    RETR DELE = number
    TOP       = number SP lines
    USER PASS = text                          ; PASS keeps every blank of it
    AUTH      = [ mechanism [ SP initial ] ]
    LANG      = [ language-range ]

Errors: ProtocolSyntaxError; UnknownCommand is the one for keywords.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError

_NUMBER: Final = re.compile(rb"0*([0-9]{1,10})")
_MECHANISM: Final = re.compile(rb"[A-Za-z0-9_-]{1,20}")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        keyword: In upper case.
        number: Message number, None if it was left out.
        lines: Of TOP.
        text: The name of USER, the password of PASS, the mechanism of AUTH, the
            language range of LANG.
        initial: The initial response of AUTH, in base64; None if there was none.
    """

    keyword: bytes
    number: int | None = None
    lines: int = 0
    text: bytes = b""
    initial: bytes | None = None


class UnknownCommand(ProtocolSyntaxError):
    """There is no command of that keyword."""


def _read_number(octets: bytes) -> int:
    found = _NUMBER.fullmatch(octets)
    if found is None:
        raise ProtocolSyntaxError("expected a number")
    return int(found[1])


def _nothing(keyword: bytes, rest: bytes) -> Command:
    if rest.strip(b" "):
        raise ProtocolSyntaxError("takes no argument")
    return Command(keyword)


def _number(keyword: bytes, rest: bytes) -> Command:
    return Command(keyword, _read_number(rest.strip(b" ")))


def _optional_number(keyword: bytes, rest: bytes) -> Command:
    rest = rest.strip(b" ")
    return Command(keyword, _read_number(rest)) if rest else Command(keyword)


def _number_and_lines(keyword: bytes, rest: bytes) -> Command:
    words = rest.split()
    if len(words) != 2:
        raise ProtocolSyntaxError("expected two numbers")
    return Command(keyword, _read_number(words[0]), _read_number(words[1]))


def _word(keyword: bytes, rest: bytes) -> Command:
    rest = rest.strip(b" ")
    if not rest:
        raise ProtocolSyntaxError("expected an argument")
    return Command(keyword, text=rest)


def _text(keyword: bytes, rest: bytes) -> Command:
    if not rest:
        raise ProtocolSyntaxError("expected an argument")
    return Command(keyword, text=rest)


def _optional_word(keyword: bytes, rest: bytes) -> Command:
    return Command(keyword, text=rest.strip(b" "))


def _mechanism(keyword: bytes, rest: bytes) -> Command:
    words = rest.split(b" ")
    while words and not words[-1]:
        words.pop()
    if not words:
        return Command(keyword)
    if len(words) > 2 or not _MECHANISM.fullmatch(words[0]):
        raise ProtocolSyntaxError("expected a mechanism and an initial response")
    return Command(
        keyword,
        text=words[0].upper(),
        initial=words[1] if len(words) == 2 else None,
    )


KEYWORDS: Final[dict[bytes, Callable[[bytes, bytes], Command]]] = {
    b"AUTH": _mechanism,
    b"CAPA": _nothing,
    b"DELE": _number,
    b"LANG": _optional_word,
    b"LIST": _optional_number,
    b"NOOP": _nothing,
    b"PASS": _text,
    b"QUIT": _nothing,
    b"RETR": _number,
    b"RSET": _nothing,
    b"STAT": _nothing,
    b"STLS": _nothing,
    b"TOP": _number_and_lines,
    b"UIDL": _optional_number,
    b"USER": _word,
    b"UTF8": _nothing,
}


def parse(line: bytes) -> Command:
    """Read one line, without its end.

    Raises:
        UnknownCommand: There is no such command.
        ProtocolSyntaxError: Its arguments are not what it takes.
    """
    keyword, _, rest = line.partition(b" ")
    keyword = keyword.upper()
    read = KEYWORDS.get(keyword)
    if read is None:
        raise UnknownCommand("unknown command")
    if b"\0" in rest:
        raise ProtocolSyntaxError("NUL in a command")
    return read(keyword, rest)

r"""What an IMAP server answered, as values: the other direction of the wire.

In this file:
    Value        what a response is made of
    grouped      the parts of each response, from what imaplib gives
    values       the values of one response
    fetched      number and items of a FETCH response
    code         the argument of a response code

Grammar: RFC 3501 section 9, read generously:

    value     = "(" [value *(SP value)] ")" / string / NIL / atom
    string    = DQUOTE *(char / "\" char) DQUOTE / "{" number "}" CRLF *octet
    atom      = what stands between blanks and parentheses; "BODY[HEADER (A)]" is one

imaplib hands over a response with literals as pairs: the line up to ``{n}``, then the
octets; what follows the last literal comes alone.

Limits: ``DEPTH_MAX`` parentheses inside each other.

Errors: ``ProtocolSyntaxError``.

Security: the server is not trusted to follow any grammar.  Nothing recurses, and no
pattern looks at an octet more than a few times.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from maildrop.errors import ProtocolSyntaxError

#: An atom or a string as octets, NIL as None, a parenthesized list as a list.
Value: TypeAlias = bytes | list["Value"] | None
#: A line, or a line up to a literal together with the literal.
Part: TypeAlias = bytes | tuple[bytes, bytes]

#: Deeper lists are refused: of a BODYSTRUCTURE each level is one of the message's.
DEPTH_MAX: Final = 200

_TOKEN: Final = re.compile(
    rb" *(?:"
    rb"(?P<open>\()|(?P<close>\))"
    rb'|"(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"'
    rb"|(?P<literal>~?\{\d{1,10}\+?\}\Z)"
    rb'|(?P<atom>(?:[^ ()"\[\r\n]+|\[[^\]\r\n]*\]|\[)+)'
    rb")",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def grouped(data: Iterable[object]) -> Iterator[list[Part]]:
    """The parts of each response in turn.

    Args:
        data: The list that imaplib gives; None in it stands for no response.
    """
    parts: list[Part] = []
    for item in data:
        if isinstance(item, tuple) and len(item) == 2:
            parts.append((bytes(item[0]), bytes(item[1])))
        elif isinstance(item, bytes):
            parts.append(item)
            yield parts
            parts = []
    if parts:
        yield parts


def values(parts: Sequence[Part]) -> list[Value]:
    """The values of one response.

    Raises:
        ProtocolSyntaxError: It is none.
    """
    found: list[Value] = []
    stack = [found]
    for part in parts:
        line, literal = part if isinstance(part, tuple) else (part, None)
        used = _line(line, stack)
        if used != (literal is not None):
            raise ProtocolSyntaxError("a literal and its announcement differ")
        if literal is not None:
            stack[-1].append(literal)
    if len(stack) != 1:
        raise ProtocolSyntaxError("a parenthesis that nothing closes")
    return found


def _line(line: bytes, stack: list[list[Value]]) -> bool:
    """Take in a line; whether it ends with the announcement of a literal."""
    at = 0
    line = line.rstrip(b" \r\n")
    while at < len(line):
        token = _TOKEN.match(line, at)
        if token is None:
            raise ProtocolSyntaxError("what the server said is no IMAP", at)
        at = token.end()
        match token.lastgroup:
            case "open":
                _open(stack, at)
            case "close":
                if len(stack) == 1:
                    raise ProtocolSyntaxError("a parenthesis that nothing opened", at)
                stack.pop()
            case "quoted":
                stack[-1].append(_ESCAPED.sub(rb"\1", token["quoted"]))
            case "literal":
                return True
            case _:
                atom = token["atom"]
                stack[-1].append(None if atom.upper() == b"NIL" else atom)
    return False


def _open(stack: list[list[Value]], at: int) -> None:
    if len(stack) > DEPTH_MAX:
        raise ProtocolSyntaxError(f"more than {DEPTH_MAX} lists in each other", at)
    inner: list[Value] = []
    stack[-1].append(inner)
    stack.append(inner)


def fetched(parts: Sequence[Part]) -> tuple[int, dict[bytes, Value]]:
    """The message's number and the items of a FETCH response.

    Args:
        parts: What stands between "*" and the line's end, without the word FETCH, as
            imaplib leaves it out.

    Raises:
        ProtocolSyntaxError: It is no such response.
    """
    found = values(parts)
    if len(found) != 2 or not isinstance(found[0], bytes) or not found[0].isdigit():
        raise ProtocolSyntaxError("expected the items of a message")
    items = found[1]
    if not isinstance(items, list) or len(items) % 2:
        raise ProtocolSyntaxError("expected names and values of items")
    named: dict[bytes, Value] = {}
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, bytes):
            raise ProtocolSyntaxError("expected the name of an item")
        named[name.upper()] = value
    return int(found[0]), named


def number(value: Value) -> int | None:
    """A number, also one in parentheses as MODSEQ has it; None for anything else."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return int(value) if isinstance(value, bytes) and value.isdigit() else None


def texts(value: Value) -> list[str]:
    """The atoms and strings of a list, as text; none for anything else."""
    if not isinstance(value, list):
        return []
    return [
        item.decode("utf-8", "replace") for item in value if isinstance(item, bytes)
    ]


def code(data: Sequence[object]) -> bytes | None:
    """The argument of a response code, the last time that it was sent.

    Args:
        data: The list that imaplib gives for the code's name.
    """
    last = data[-1] if data else None
    return last if isinstance(last, bytes) else None

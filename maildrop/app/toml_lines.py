"""On which line of a TOML file each key stands; ``tomllib`` does not tell.

In this file:
    key_lines       key paths to line numbers
    syntax_error    line and text of what ``tomllib`` raised

A path is a tuple of names, with a number for each element of an array of tables:
``("listen", 0, "endpoint")``.  Tables have a path of their own.  The text is known to
be right: ``tomllib`` has read it.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Final

KeyPath = tuple[str | int, ...]

_NAME: Final = r"""(?:[\w-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ENTRY: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_EACH: Final = re.compile(_NAME)
#: What decides whether a value goes on in the next line.
_TOKEN: Final = re.compile(
    r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|#.*|[^"'#\[\]{}]+|."""
)
_ENDS: Final = {
    '"""': re.compile(r'(?:\\.|[^\\])*?"{3}'),
    "'''": re.compile(r".*?'{3}"),
}
_PLACE: Final = re.compile(r"\s*\(at line (\d+), column \d+\)\Z")
_OPEN: Final = frozenset("[{")
_CLOSE: Final = frozenset("]}")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line numbers, from 1, of all tables and keys in ``text``."""
    lines: dict[KeyPath, int] = {}
    counted: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in _statements(text):
        header = _HEADER.match(line)
        if header:
            table = _resolved(_names(header[2]), counted, header[1] == "[[")
            lines.setdefault(table, number)
            continue
        entry = _ENTRY.match(line)
        if entry:
            path = table
            for name in _names(entry[1]):
                path = (*path, name)
                lines.setdefault(path, number)
    return lines


def syntax_error(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """Line number and reason of an error of ``tomllib``."""
    found = _PLACE.search(str(error))
    if found:
        return int(found[1]), str(error)[: found.start()]
    return text.count("\n") + 1, str(error).removesuffix(" (at end of document)")


def _names(dotted: str) -> list[str]:
    return [name.strip("\"'") for name in _EACH.findall(dotted)]


def _resolved(names: list[str], counted: dict[KeyPath, int], is_array: bool) -> KeyPath:
    """The path of a table, with the number of each array element on the way."""
    path: KeyPath = ()
    for at, name in enumerate(names):
        path = (*path, name)
        if is_array and at == len(names) - 1:
            counted[path] = counted.get(path, 0) + 1
        if path in counted:
            path = (*path, counted[path] - 1)
    return path


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """First lines of headers and entries; lines that continue a value are left out."""
    depth, quote = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if not depth and not quote:
            yield number, line
            if _HEADER.match(line):
                continue
        depth, quote = _after(line, depth, quote)


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Open brackets, and the multi-line quote at work, at the end of ``line``."""
    at = 0
    while at < len(line):
        if quote:
            end = _ENDS[quote].match(line, at)
            if end is None:
                break
            at, quote = end.end(), ""
            continue
        token = _TOKEN.match(line, at)
        if token is None:
            break
        at = token.end()
        if token[0] in _ENDS:
            quote = token[0]
        elif token[0] in _OPEN:
            depth += 1
        elif token[0] in _CLOSE:
            depth -= 1
    return depth, quote

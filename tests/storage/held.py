"""How much memory columns take.

In this file:
    held_by    octets of all large columns that can be reached from some objects
"""

import inspect
import sys
from array import array

#: Smaller ones are no columns of a mailbox with thousands of messages.
_SMALL = 1500
_DEPTH = 9


def held_by(*objects: object) -> int:
    """Octets of all large columns that can be reached, each counted once."""
    seen: set[int] = set()
    return sum(_octets_of(each, seen, _DEPTH) for each in objects)


def _octets_of(it: object, seen: set[int], depth: int) -> int:
    if id(it) in seen or depth == 0:
        return 0
    seen.add(id(it))
    if isinstance(it, array | bytearray | bytes | dict | list | set):
        size = sys.getsizeof(it)
        return size if size > _SMALL else 0
    held = list(it) if isinstance(it, tuple) else _attributes(it)
    return sum(_octets_of(each, seen, depth - 1) for each in held)


def _attributes(it: object) -> list[object]:
    if not type(it).__module__.startswith("maildrop."):
        return []
    names = [name for kind in type(it).__mro__ for name in vars(kind)]
    names += getattr(it, "__dict__", ())
    found = [inspect.getattr_static(it, name, None) for name in names]
    return [
        getattr(it, name)
        for name, value in zip(names, found, strict=True)
        if not callable(value) and not isinstance(value, property)
    ]

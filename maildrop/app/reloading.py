"""What differs between two configurations, for ``maildrop reload``.

In this file:
    LIVE            keys that a running server takes up
    changed_keys    keys that differ and are not among them
"""

import dataclasses
from typing import Final

from maildrop.app.schema import ARRAYS, KEYS, Configuration

#: Keys that need no restart.
LIVE: Final = frozenset({("log", "format"), ("log", "level"), ("auth", "scheme")})


def changed_keys(before: Configuration, now: Configuration) -> list[str]:
    """Dotted names of the keys whose change needs a restart."""
    first, second = dataclasses.asdict(before), dataclasses.asdict(now)
    changed = [
        ".".join(path)
        for path in KEYS
        if path[:-1] not in ARRAYS
        and path not in LIVE
        and _value(first, path) != _value(second, path)
    ]
    arrays = (
        ".".join(path)
        for path in sorted(ARRAYS)
        if _value(first, path) != _value(second, path)
    )
    return [*changed, *arrays]


def _value(table: dict[str, object], path: tuple[str, ...]) -> object:
    found: object = table
    for name in path:
        found = found[name] if isinstance(found, dict) else None
    return found

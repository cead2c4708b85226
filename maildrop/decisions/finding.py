"""Finding decisions in the journal.

In this file:
    Decision    one of them
    Story       those that belong together, in order
    find        the newest decisions in which a key stands
    stories     the newest stories of a key: an id, address, message id, user, peer

A key is searched for as an exact value, with the quotes that JSON puts around it: that
is a search for an exact string, at the speed of memory, and what it finds is parsed.
Nothing else is: there is no index to be kept while mail is delivered.

A story is all that was noted under one id, under the connection that it came by, and
under ids that stem from it.

Errors: a line that is no JSON is passed over: a crash may have torn it.

Limits: stories and decisions given; octets of a key.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from maildrop.decisions.journal import segments
from maildrop.decisions.trace import born
from maildrop.durable import open_to_read

#: Letters of a key.
KEY_MAX: Final = 1000
#: Seconds by which a clock may have been set back.
_CLOCKS: Final = 3600.0
#: Decisions of one story.
STORY_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision.

    Attributes:
        at: When, in seconds since 1970 UTC.
        id: Of the message or the connection.
        kind: See ``telling``.
        facts: What it was and why.
        place: In the journal: of two of one moment the first comes first.
    """

    at: float
    id: str
    kind: str
    facts: dict[str, Any] = field(hash=False)
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Story:
    """What belongs together.

    Attributes:
        id: Of the message or the connection.
        decisions: In order.
    """

    id: str
    decisions: tuple[Decision, ...]


def _read(path: str) -> bytes:
    try:
        fd = open_to_read(path)
    except FileNotFoundError:  # pruned meanwhile
        return b""
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _decision(octets: bytes, place: int) -> Decision | None:
    try:
        value = json.loads(octets)
        at, decision_id, kind = value.pop("at"), value.pop("id"), value.pop("kind")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(at, int | float) or not isinstance(kind, str):
        return None
    return Decision(float(at), str(decision_id), kind, value, place)


def _quoted(key: str) -> bytes:
    return json.dumps(key[:KEY_MAX]).encode()


def _keys(key: str) -> frozenset[bytes]:
    """The ways in which a key may stand in a line."""
    wanted = {key, key.lower(), key.upper()}
    if "@" in key and not key.startswith("<"):
        wanted.add(f"<{key}>".lower())  # a message id, without its brackets
    return frozenset(map(_quoted, wanted))


def _lines(octets: bytes, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where lines are in which something stands, the last first."""
    end = len(octets)
    while (at := octets.rfind(wanted, 0, end)) >= 0:
        begin = octets.rfind(b"\n", 0, at) + 1
        stop = octets.find(b"\n", at)
        yield begin, len(octets) if stop < 0 else stop
        end = begin


def _has(decision: Decision, keys: Iterable[bytes]) -> bool:
    """Whether a key is a value of a decision, and not by chance part of one."""
    values: list[object] = [decision.id]
    for fact in decision.facts.values():
        values += fact if isinstance(fact, list) else [fact]
    return any(isinstance(each, str) and _quoted(each) in keys for each in values)


def _found(octets: bytes, keys: Iterable[bytes]) -> list[Decision]:
    """The decisions of a segment in which one of the keys stands, the newest first."""
    places = {place for key in keys for place in _lines(octets, key)}
    read = (_decision(octets[begin:end], begin) for begin, end in sorted(places))
    found = [each for each in read if each is not None and _has(each, keys)]
    return sorted(found, key=_order, reverse=True)


def _own(octets: bytes, decision_id: str) -> list[Decision]:
    """The decisions of a segment that were noted under an id."""
    wanted = b'"id":' + _quoted(decision_id)
    places = _lines(octets, wanted)
    read = (_decision(octets[begin:end], begin) for begin, end in places)
    return [each for each in read if each is not None and each.id == decision_id]


def find(directory: str, key: str, most: int) -> list[Decision]:
    """The newest decisions in which a key stands, the newest first.

    Args:
        directory: Of the journal.
        key: An id, an address, a message id, a user, the address of a client.
        most: How many.
    """
    keys = _keys(key)
    found: list[Decision] = []
    for path in reversed(segments(directory)):
        found += _found(_read(path), keys)
        if len(found) >= most:
            break
    return found[:most]


def stories(directory: str, key: str, most: int) -> list[Story]:
    """The newest stories of a key, the newest first.

    Args:
        directory: Of the journal.
        key: An id, an address, a message id, a user, the address of a client.
        most: How many.
    """
    ids: dict[str, None] = {}
    for path in reversed(segments(directory)):
        for each in _found(_read(path), _keys(key)):
            if each.id.upper() == key.upper():  # that one, and not what speaks of it
                ids = {_root(each): None}
                break
            if len(ids) <= 4 * most:
                ids.setdefault(_root(each), None)
        if len(ids) >= most:
            break
    connections = _connections(directory, list(ids))
    told_with = {connections.get(each) for each in ids}
    wanted = [each for each in ids if each not in told_with][:most]
    return _collected(directory, wanted, connections)


def _root(decision: Decision) -> str:
    return str(decision.facts.get("of") or decision.id)


def _after(
    directory: str, ids: Iterable[str]
) -> Iterator[tuple[bytes, frozenset[str]]]:
    """The segments that can have something of ids, and of which."""
    begun = {each: born(each) - _CLOCKS for each in ids}
    for path in segments(directory):
        try:
            last = os.stat(path).st_mtime
        except FileNotFoundError:  # pruned meanwhile
            continue
        wanted = frozenset(each for each, at in begun.items() if at <= last)
        if wanted:
            yield _read(path), wanted


def _connections(directory: str, ids: Sequence[str]) -> dict[str, str]:
    """The connection of each message."""
    found: dict[str, str] = {}
    for octets, wanted in _after(directory, ids):
        for each in wanted:
            for decision in _own(octets, each) if each not in found else ():
                if "session" in decision.facts:
                    found[each] = str(decision.facts["session"])
    return found


def _collected(
    directory: str, ids: Sequence[str], connections: dict[str, str]
) -> list[Story]:
    """Stories: of each id, of its connection, and of what stems from it."""
    told: dict[str, set[Decision]] = {each: set() for each in ids}
    for octets, wanted in _after(directory, [*ids, *connections.values()]):
        for each, decisions in told.items():
            if each in wanted:
                decisions.update(_found(octets, {_quoted(each)}))
            connection = connections.get(each)
            if connection in wanted:
                decisions.update(_own(octets, connection))
    ordered = [
        Story(each, tuple(sorted(decisions, key=_order))[:STORY_MAX])
        for each, decisions in told.items()
    ]
    return sorted(ordered, key=_last, reverse=True)


def _order(decision: Decision) -> tuple[float, int]:
    return decision.at, decision.place


def _last(story: Story) -> float:
    return max((each.at for each in story.decisions), default=0.0)

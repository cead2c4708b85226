"""Decisions in words.

In this file:
    KINDS    the kinds of decisions, and what each says
    text     a decision as a line, and the lines that explain it
    moment   when it was made

A sentence has the facts of a decision in braces; what stands in brackets is left out
when its fact is missing.  Facts that the sentence does not mention follow it, and so do
all facts of a kind that is not known here, so that nothing is kept back.

Security: values come from clients; what is not printable is escaped, so that nothing
can pose as another line or speak to a terminal.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

from maildrop.decisions.finding import Decision

#: What a decision of each kind says.
KINDS: Final[Mapping[str, str]] = {
    # connections
    "refused": "connection[ from {client}][ to {port}] refused[: {why}]",
    "login": (
        "{user} logged in[ to {service}][ from {client}][ by {mechanism}][, {tls}]"
        "[: {why}][ ({line})][; held back for {held_back} s]"
    ),
    "login refused": (
        "login[ of {name}][ to {service}][ from {client}][ by {mechanism}][, {tls}]"
        " refused[: {why}][ ({line})][; held back for {held_back} s]"
        "[; answered after {answered_after} s]"
    ),
    "closed": (
        "{service} session[ of {user}][ from {client}] ended[ by us: {why}]"
        "[; {octets_in} octets in][, {octets_out} out][, since {since}]"
    ),
    # a message on its way in
    "not accepted": (
        "{what} refused[ from {client}][, sender {sender}][: {why}]"
        "[; answered {answer}]"
    ),
    "recipient": "recipient {recipient} accepted[, goes to {to}]",
    "message": (
        "message[ {message_id}] of {size} octets[ from {sender}][ by {service}]"
        "[ from {client}][ calling itself {greeting}][, user {user}][, {tls}]"
    ),
    "discarded": "message discarded[: {why}]",
    # what became of it
    "delivered": (
        "delivered for {recipient} to {user}: {folder}[, uid {uid}][, in {location}]"
    ),
    "not delivered": "not delivered for {recipient}[: {why}]",
    "queued": "queued for {recipient}[, to {to}][, for {relay}][: {why}]",
    "failed": "failed for {recipient}[: {why}]; the sender is told",
    "tried": (
        "{result}: {recipient}[ by {relay}][ to {destination}][, try {tries}]"
        "[: {code}][ {text}][ (from {remote})]"
    ),
    "waits": "waits, to be tried again at {next}[ (tries: {tries})]",
    "given up": "given up after too long: {recipient}",
    "put aside": "its file in the queue cannot be believed and was put aside[: {why}]",
    "expanded": "{recipient} stands for {to}",
    "reported": "the sender was told in {report}[: {recipient}]",
    "removed": "all is done: removed from the queue",
    # the diary itself
    "lost": "{notes} decisions could not be kept: too many at once",
}
#: Facts that are told elsewhere, or mean nothing to people.
_SILENT: Final = frozenset({"session", "of", "~"})
#: Facts of a kind that say what others do.
_TWICE: Final = {
    "login": frozenset({"name"}),
    "not accepted": frozenset({"recipient"}),
}
#: Facts that are moments.
_MOMENTS: Final = frozenset({"since", "next"})
_PIECE: Final = re.compile(r"\[([^\]]*?)\{(\w+)\}([^\]]*?)\]|\{(\w+)\}")


def moment(seconds: float) -> str:
    """``2026-11-22T05:58:37.123Z``."""
    try:
        found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return str(seconds)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(value: object) -> str:
    """A value for people, with nothing in it that is not printable."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text
    )


def _fact(name: str, facts: Mapping[str, Any]) -> str:
    value = facts[name]
    if name in _MOMENTS and isinstance(value, int | float):
        return moment(value)
    return shown(value)


def text(decision: Decision) -> list[str]:
    """A decision as a line, and the lines that explain it."""
    facts = decision.facts
    steps = facts.get("why")
    steps = steps if isinstance(steps, list) else []
    told = {*_SILENT, *_TWICE.get(decision.kind, ())}
    if steps:
        told.add("why")
    known = KINDS.get(decision.kind)
    line = shown(decision.kind)
    if known is not None:
        line = _PIECE.sub(lambda found: _piece(found, facts, told), known)
    rest = [f"{shown(name)}={_fact(name, facts)}" for name in facts if name not in told]
    if rest:
        line += f" [{' '.join(rest)}]"
    return [line, *dict.fromkeys(map(shown, steps))]


def _piece(found: re.Match[str], facts: Mapping[str, Any], told: set[str]) -> str:
    """A piece of a sentence; notes the fact as told."""
    before, optional, after, always = found.groups()
    name = always or optional
    if name not in facts or (name == "why" and isinstance(facts[name], list)):
        return "?" if always else ""
    told.add(name)
    value = _fact(name, facts)
    return value if always else f"{before}{value}{after}"

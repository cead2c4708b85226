r"""What two servers say of the same mail, and where they differ.

In this file:
    Difference          one thing that a client could notice
    account             names, subscriptions and uses of mailboxes
    numbers             what opening a mailbox tells
    paired              the messages of two mailboxes, side by side by UID
    rows                two messages of one UID
    contents            their octets and structure
    maildrops           what two POP3 sessions see

Everything here is pure.  What is no difference, for no client can make use of it:

* ``\Recent``, which speaks of sessions; the order of flags; upper and lower case of
  flags, which are the same in any case (RFC 9051 section 2.3.2)
* the zone in which INTERNALDATE is written
* a HIGHESTMODSEQ or MODSEQ that is higher than it was: only a lower one makes a client
  miss something (RFC 7162 section 3.1)
* upper and lower case in BODYSTRUCTURE
* flags that can be set now and could not before
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.imap.wire.dates import InternalDates
from maildrop.migration.facts import Listed, Maildrop, Numbers, Row
from maildrop.migration.responses import Value

#: RFC 6154 section 2 and RFC 8457.
SPECIAL_USES: Final = frozenset(
    {
        "\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk",
        "\\sent", "\\trash",
    }
)  # fmt: skip
_ANY_KEYWORD: Final = "\\*"
#: Octets of a value that are shown.
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a client could notice.

    Attributes:
        what: The item, by the name that the protocol gives it.
        old: Its value at the old server; empty for nothing.
        new: Its value at the new one.
        mailbox: The mailbox; empty for the whole account.
        uid: The message; None for the whole mailbox.
        protocol: ``imap`` or ``pop3``.
    """

    what: str
    old: str
    new: str
    mailbox: str = ""
    uid: int | None = None
    protocol: str = "imap"

    def __str__(self) -> str:
        place = self.mailbox or "-"
        message = "" if self.uid is None else f" uid {self.uid}"
        return (
            f"{self.protocol} {place}{message}: {self.what}:"
            f" old {self.old or 'nothing'}, new {self.new or 'nothing'}"
        )


# -- accounts


def namespaces(old: tuple[str, str], new: tuple[str, str]) -> Iterator[Difference]:
    """Prefix and separator of mailbox names."""
    for what, before, after in zip(
        ("NAMESPACE prefix", "hierarchy delimiter"), old, new, strict=True
    ):
        if before != after:
            yield Difference(what, f'"{before}"', f'"{after}"')


def account(
    old: Sequence[Listed], new: Sequence[Listed]
) -> tuple[list[Difference], list[tuple[Listed, Listed]]]:
    """The mailboxes of an account.

    Returns:
        Differences, and the pairs that hold messages on both sides.
    """
    before = {listed.name: listed for listed in old}
    after = {listed.name: listed for listed in new}
    found = []
    pairs = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            found.append(Difference("mailbox", _there(was), _there(now), name))
            continue
        if was.selectable != now.selectable:
            found.append(Difference("mailbox", _there(was), _there(now), name))
        elif was.selectable:
            pairs.append((was, now))
        uses = [", ".join(sorted(it.attributes & SPECIAL_USES)) for it in (was, now)]
        if uses[0] != uses[1]:
            found.append(Difference("special use", uses[0], uses[1], name))
    return found, pairs


def _there(listed: Listed | None) -> str:
    if listed is None:
        return ""
    return "a mailbox" if listed.selectable else "a name without messages"


def subscriptions(old: Sequence[str], new: Sequence[str]) -> Iterator[Difference]:
    """Subscribed names."""
    before, after = frozenset(old), frozenset(new)
    for name in sorted(before ^ after):
        was, now = ("subscribed" if name in side else "" for side in (before, after))
        yield Difference("subscription", was, now, name)


# -- mailboxes


def numbers(name: str, old: Numbers, new: Numbers) -> Iterator[Difference]:
    """What opening a mailbox tells."""
    for what, before, after, wrong in (
        ("UIDVALIDITY", old.uid_validity, new.uid_validity, _differs),
        ("UIDNEXT", old.uid_next, new.uid_next, _differs),
        ("messages", old.messages, new.messages, _differs),
        ("HIGHESTMODSEQ", old.highest_mod_seq, new.highest_mod_seq, _lower),
    ):
        if before is not None and after is not None and wrong(before, after):
            yield Difference(what, str(before), str(after), name)
    if old.permanent_flags and new.permanent_flags:
        lost = old.permanent_flags - new.permanent_flags
        if _ANY_KEYWORD in new.permanent_flags:
            lost = frozenset(flag for flag in lost if flag.startswith("\\"))
        if lost:
            yield Difference("PERMANENTFLAGS", _listed(lost), "", name)


def _differs(before: int, after: int) -> bool:
    return before != after


def _lower(before: int, after: int) -> bool:
    return after < before


def _listed(flags: Iterable[str]) -> str:
    return f"({' '.join(sorted(flags))})"


# -- messages


def paired(
    old: Iterator[Row], new: Iterator[Row]
) -> Iterator[tuple[Row | None, Row | None]]:
    """The messages of two mailboxes side by side, both in ascending UID order.

    Only one row of each side is held.  A side that breaks the order, which RFC 3501
    section 2.3.1.1 forbids, shows as messages that the other lacks.
    """
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.uid < after.uid):
            yield before, None
            before = next(old, None)
        elif before is None or after.uid < before.uid:
            yield None, after
            after = next(new, None)
        else:
            yield before, after
            before, after = next(old, None), next(new, None)


def rows(name: str, old: Row | None, new: Row | None) -> Iterator[Difference]:
    """A message that has one UID at both, or is at one of them only."""
    if old is None or new is None:
        one = old or new
        if one is not None:
            here, there = ("there" if side else "" for side in (old, new))
            yield Difference("message", here, there, name, one.uid)
        return
    uid = old.uid
    if old.flags != new.flags:
        lists = [sorted(flag.lower() for flag in side.flags) for side in (old, new)]
        if lists[0] != lists[1]:
            yield Difference("FLAGS", _listed(old.flags), _listed(new.flags), name, uid)
    if old.date != new.date:
        dates = _date(old.date), _date(new.date)
        yield Difference("INTERNALDATE", *dates, name, uid)
    if old.size != new.size:
        yield Difference("RFC822.SIZE", str(old.size), str(new.size), name, uid)
    mod_seqs = old.mod_seq or 0, new.mod_seq or 0
    if all(mod_seqs) and mod_seqs[1] < mod_seqs[0]:
        before, after = map(str, mod_seqs)
        yield Difference("MODSEQ", before, after, name, uid)


def _date(seconds: int | None) -> str:
    if seconds is None:
        return "nonsense"
    return InternalDates()(seconds).decode("ascii").strip('"')


def contents(
    name: str, uid: int, old: Mapping[bytes, Value], new: Mapping[bytes, Value]
) -> Iterator[Difference]:
    """What was fetched of a message beyond its row; items that one lacks are passed."""
    for item in sorted(old.keys() & new.keys()):
        before, after = old[item], new[item]
        if item.startswith(b"BODY["):
            if before != after:
                shown = _digest(before), _digest(after)
                yield Difference("octets", *shown, name, uid)
        elif item == b"BODYSTRUCTURE":
            if _folded(before) != _folded(after):
                shown = _text(before), _text(after)
                yield Difference("BODYSTRUCTURE", *shown, name, uid)
        elif item == b"ENVELOPE" and before != after:
            yield Difference("ENVELOPE", _text(before), _text(after), name, uid)


def _digest(value: Value) -> str:
    if not isinstance(value, bytes):
        return ""
    digest = hashlib.blake2b(value, digest_size=8).hexdigest()
    return f"{len(value)} octets, digest {digest}"


def _folded(value: Value) -> Value:
    """A value without regard to case."""
    if isinstance(value, list):
        return [_folded(inner) for inner in value]
    return None if value is None else value.lower()


def _text(value: Value) -> str:
    text = _written(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _written(value: Value) -> str:
    if value is None:
        return "NIL"
    if isinstance(value, list):
        return f"({' '.join(map(_written, value))})"
    return f'"{value.decode("utf-8", "backslashreplace")}"'


# -- POP3


def maildrops(old: Maildrop, new: Maildrop) -> Iterator[Difference]:
    """STAT, UIDL and LIST."""

    def difference(what: str, before: object, after: object) -> Difference:
        return Difference(what, str(before), str(after), protocol="pop3")

    if (old.messages, old.octets) != (new.messages, new.octets):
        yield difference(
            "STAT",
            f"{old.messages} {old.octets}",
            f"{new.messages} {new.octets}",
        )
    if old.uidls is None:
        yield from _unnamed(old.sizes, new.sizes)
    elif new.uidls is None:
        yield difference("UIDL", "offered", "")
    else:
        yield from (difference(*found) for found in _uidls(old.uidls, new.uidls))
        sizes = dict(zip(new.uidls, new.sizes, strict=False))
        for uidl, size in zip(old.uidls, old.sizes, strict=False):
            if sizes.get(uidl, size) != size:
                yield difference(f"LIST of {_uidl(uidl)}", size, sizes[uidl])


def _unnamed(old: Sequence[int], new: Sequence[int]) -> Iterator[Difference]:
    """LIST, where messages have no UIDL: the number is all they have."""
    for at, (before, after) in enumerate(zip(old, new, strict=False), 1):
        if before != after:
            yield Difference(f"LIST {at}", str(before), str(after), protocol="pop3")


def _uidls(
    old: Sequence[bytes], new: Sequence[bytes]
) -> Iterator[tuple[str, str, str]]:
    before = {uidl: at for at, uidl in enumerate(old, 1)}
    after = {uidl: at for at, uidl in enumerate(new, 1)}
    for uidl, at in before.items():
        if uidl not in after:
            yield f"UIDL {_uidl(uidl)}", f"message {at}", ""
    for uidl, at in after.items():
        if uidl not in before:
            yield f"UIDL {_uidl(uidl)}", "", f"message {at}"
    # What both have is in the same order, or is not; numbers alone shift with others.
    orders = [u for u in old if u in after], [u for u in new if u in before]
    for one, other in zip(*orders, strict=False):
        if one != other:
            shown = f"message {before[one]}", f"message {after[one]}"
            yield f"order of UIDL {_uidl(one)}", *shown


def _uidl(uidl: bytes) -> str:
    return uidl.decode("ascii", "backslashreplace")

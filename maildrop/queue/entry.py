r"""An entry of the queue: one message, its recipients, and what became of them.

In this file:
    Entry        a message that waits
    Waiting      one of its recipients
    Options      what the sender asked for
    Status       what an attempt came to (RFC 3463)
    Result       the same for one recipient
    Kind         the kinds of results
    head         the first line of an entry's file
    line         a later line
    lines        later lines that count together
    read_head    what the first line says
    follow       what a later line changes
    ends         whether a line ends those that count together

File format.  An entry is one file, so that one rename puts it into the queue and one
unlink takes it out:

    file  = head message *line
    head  = crc SP JSON LF       ; who sent what to whom; says how long the message is
    line  = crc SP JSON LF       ; what happened since, in order
    crc   = 8HEXDIG              ; CRC-32 of the JSON

Lines are appended and synced before anything follows from what they say.  A last line
that is torn was not synced, so nothing followed from it: it is left out, and cut off
before the next one.  A line in the middle that does not fit its sum was damaged later:
such a file is put aside, whole.

What is too much for one line is in several: all but the last say so ("part"), and none
of them counts before the last one is there, which is written when the others are on
disk.  So JSON holds up others for a moment only, whatever a list means.

JSON of a line, each member may be missing:

    {"at": seconds, "results": [[numbers, kind, code, text, remote], ...],
     "next": seconds, "held": bool, "warned": bool, "reported": [number, ...],
     "more": [recipient, ...], "part": bool}

    numbers: one, or a list of those with the same result

Errors: ``Damaged`` for what cannot be believed, ``Torn`` for a line that is not whole,
``FromLater`` for a version that this one does not know.

Limits: octets of a line; recipients are limited by whoever fills the queue.
"""

import dataclasses
import enum
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")

VERSION: Final = 1
#: Octets of a line.
LINE_MAX: Final = 1 << 26
#: Recipients, or results, of a line; and numbers.
MEMBERS: Final = 500
_NUMBERS: Final = 10_000


class Damaged(Exception):
    """It cannot be believed."""


class Torn(Damaged):
    """A line is not whole."""


class FromLater(Exception):
    """A later version of this program wrote it."""


class Kind(enum.Enum):
    """What became of a recipient.

    RELAYED went to a host that promises no report, PASSED_ON to one that does (RFC 3461
    section 6.2); EXPANDED stands for other recipients now (RFC 3464 section 2.3.3).
    """

    WAITING = "waiting"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    PASSED_ON = "passed on"
    EXPANDED = "expanded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """What an attempt came to.

    Attributes:
        code: RFC 3463, such as ``4.4.1``.
        text: For people, one line; what the host said, if one did.
        remote: The host that said so, empty if it was us.
    """

    code: str
    text: str
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt came to for one recipient; WAITING is to be tried again.

    Attributes:
        number: The recipient's.
        kind: What became of it.
        status: Why.
    """

    number: int
    kind: Kind
    status: Status


@dataclass(frozen=True, slots=True)
class Options:
    """What the sender asked for.

    Attributes:
        smtputf8: Addresses or header need RFC 6531.
        eight_bit: The message has octets above 127 (RFC 6152).
        ret: FULL or HDRS (RFC 3461 section 4.3), empty if not said.
        envelope_id: RFC 3461 section 4.4, decoded, empty if not said.
        report: Id of the entry that this message reports on, empty for other mail.
        about: Numbers of the recipients of that one that it reports on.
    """

    smtputf8: bool = False
    eight_bit: bool = False
    ret: str = ""
    envelope_id: str = ""
    report: str = ""
    about: tuple[int, ...] = ()


@dataclass(slots=True)
class Waiting:
    """One recipient.

    Attributes:
        number: Its place among the entry's.
        address: Where the message goes.
        relay: Who takes it there: a name in the table of relays.
        destination: Attempts for the same one are made together, and not too many.
        original: ``type;address`` of RFC 3461 section 4.2, empty if not said.
        notify: Of NEVER, SUCCESS, FAILURE, DELAY; empty if not said.
        parent: Number of the recipient it came from by expansion, -1 for none.
        sender: The reverse path for this one; None for that of the entry.
        order: What the relay needs to know besides; it alone reads it.
        via: The address of ours whose files sent the message on to this one, empty if
            none did; who gets it elsewhere is told (RFC 9228).
        kind: What became of it.
        tries: Attempts so far.
        status: What the last one came to.
        warned: The sender was told that it takes long.
        reported: The sender was told of the end, or need not be.
    """

    number: int
    address: str
    relay: str
    destination: str
    original: str = ""
    notify: tuple[str, ...] = ()
    parent: int = -1
    sender: str | None = None
    order: str = ""
    via: str = ""
    kind: Kind = Kind.WAITING
    tries: int = 0
    status: Status | None = None
    warned: bool = False
    reported: bool = False


@dataclass(slots=True)
class Entry:
    """A message that waits.

    Attributes:
        id: Its id in log, Received field and reply.
        sender: The reverse path; empty for ``<>``.
        arrived: When it was taken, seconds since 1970 UTC.
        size: Octets of the message.
        recipients: For whom, in order of their numbers.
        options: What the sender asked for.
        next: When to try again, seconds since 1970 UTC.
        held: Nothing is tried until somebody releases it.
        parts: What lines say that do not count yet.
    """

    id: str
    sender: str
    arrived: float
    size: int
    recipients: list[Waiting]
    options: Options = field(default_factory=Options)
    next: float = 0.0
    held: bool = False
    parts: list[dict[str, Any]] = field(default_factory=list)

    def waiting(self) -> list[Waiting]:
        """Those that are still to be served."""
        return [each for each in self.recipients if each.kind is Kind.WAITING]

    def done(self) -> bool:
        """Whether nothing is left to do."""
        return all(
            each.kind is not Kind.WAITING and each.reported for each in self.recipients
        )


#: What of a recipient is in the first line; the rest comes to be later.
_GIVEN: Final = (
    "number",
    "address",
    "relay",
    "destination",
    "original",
    "notify",
    "parent",
    "sender",
    "order",
    "via",
)


def _summed(value: Mapping[str, Any]) -> bytes:
    octets = json.dumps(value, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(octets), octets)


def _value(octets: bytes) -> dict[str, Any]:
    crc, _, text = octets.rstrip(b"\n").partition(b" ")
    if len(crc) != 8 or not octets.endswith(b"\n") or len(octets) > LINE_MAX:
        raise Torn("not a line of an entry")
    if crc != b"%08x" % zlib.crc32(text):
        raise Torn("a line does not fit its sum")
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Damaged(f"a line is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise Damaged("a line is no object")
    return value


def _given(recipient: Waiting) -> dict[str, Any]:
    return {name: getattr(recipient, name) for name in _GIVEN}


def _recipient(value: Mapping[str, Any]) -> Waiting:
    return Waiting(**{**value, "notify": tuple(value.get("notify", ()))})


def _options(value: Mapping[str, Any]) -> Options:
    return Options(**{**value, "about": tuple(value.get("about", ()))})


def head(entry: Entry) -> bytes:
    """The first line of an entry's file."""
    return _summed(
        {
            "version": VERSION,
            "id": entry.id,
            "sender": entry.sender,
            "arrived": entry.arrived,
            "size": entry.size,
            "options": dataclasses.asdict(entry.options),
            "recipients": [_given(each) for each in entry.recipients],
        }
    )


def read_head(octets: bytes) -> Entry:
    """What the first line says.

    Raises:
        Damaged: Nothing that can be believed.
        FromLater: It is of a later version.
    """
    value = _value(octets)
    if value.get("version") != VERSION:
        raise FromLater(
            f"it is of version {value.get('version')}, and this maildrop knows "
            f"{VERSION}: the one that wrote it has to send it"
        )
    try:
        return Entry(
            id=value["id"],
            sender=value["sender"],
            arrived=value["arrived"],
            size=value["size"],
            recipients=[_recipient(each) for each in value["recipients"]],
            options=_options(value["options"]),
            next=value["arrived"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"the first line lacks something: {error}") from error


def line(
    at: float,
    *,
    results: Iterable[Result] = (),
    next_try: float | None = None,
    held: bool | None = None,
    warned: bool = False,
    reported: Sequence[int] = (),
    more: Sequence[Waiting] = (),
    part: bool = False,
) -> bytes:
    """A later line.

    Args:
        at: When it happened, seconds since 1970 UTC.
        results: What an attempt came to.
        next_try: When to try again.
        held: Whether to wait for somebody's release.
        warned: The sender was told that it takes long.
        reported: Recipients whose end the sender was told, or need not be.
        more: Recipients that others were expanded to; their numbers go on.
        part: It counts with the next one.
    """
    value: dict[str, Any] = {"at": at}
    members: dict[str, Any] = {
        "results": _told(results),
        "reported": list(reported),
        "more": [_given(each) for each in more],
    }
    value |= {name: member for name, member in members.items() if member}
    if next_try is not None:
        value["next"] = next_try
    if held is not None:
        value["held"] = held
    if warned:
        value["warned"] = True
    if part:
        value["part"] = True
    return _summed(value)


def _told(results: Iterable[Result]) -> list[list[Any]]:
    same: dict[tuple[Kind, Status], list[int]] = {}
    for each in results:
        same.setdefault((each.kind, each.status), []).append(each.number)
    return [
        [
            numbers if len(numbers) > 1 else numbers[0],
            kind.value,
            status.code,
            status.text,
            status.remote,
        ]
        for (kind, status), numbers in same.items()
    ]


def lines(
    at: float,
    *,
    results: Sequence[Result] = (),
    next_try: float | None = None,
    held: bool | None = None,
    warned: bool = False,
    reported: Sequence[int] = (),
    more: Sequence[Waiting] = (),
) -> list[bytes]:
    """Later lines that count together; ``line`` has the arguments."""
    found = [line(at, more=piece, part=True) for piece in _cut(more, MEMBERS)]
    found += [line(at, results=piece, part=True) for piece in _cut(results, MEMBERS)]
    found += [line(at, reported=piece, part=True) for piece in _cut(reported, _NUMBERS)]
    last = line(
        at,
        results=() if len(results) > MEMBERS else results,
        next_try=next_try,
        held=held,
        warned=warned,
        reported=() if len(reported) > _NUMBERS else reported,
        more=() if len(more) > MEMBERS else more,
    )
    return [*found, last]


def _cut(whole: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The pieces of what is too much for a line."""
    if len(whole) > most:
        for at in range(0, len(whole), most):
            yield whole[at : at + most]


def follow(entry: Entry, octets: bytes) -> None:
    """Change an entry as a later line says, once the one that ends it is there.

    Raises:
        Torn: It is not whole.
        Damaged: Nothing that can be believed.
    """
    value = _value(octets)
    if value.get("part"):
        entry.parts.append(value)
        return
    parts, entry.parts = entry.parts, []
    try:
        for each in (*parts, value):
            _follow(entry, each)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Damaged(f"a line says what cannot be: {error}") from error


def ends(octets: bytes) -> bool:
    """Whether a line is whole, and ends those that count together."""
    try:
        return not _value(octets).get("part")
    except Damaged:
        return False


def _follow(entry: Entry, value: Mapping[str, Any]) -> None:
    entry.recipients += [_recipient(each) for each in value.get("more", ())]
    for numbers, kind, *said in value.get("results", ()):
        status = Status(*said)
        for number in numbers if isinstance(numbers, list) else [numbers]:
            recipient = entry.recipients[number]
            recipient.kind = Kind(kind)
            recipient.status = status
            recipient.tries += 1
    for number in value.get("reported", ()):
        entry.recipients[number].reported = True
    if value.get("warned"):
        for recipient in entry.waiting():
            recipient.warned = True
    entry.next = value.get("next", entry.next)
    entry.held = value.get("held", entry.held)

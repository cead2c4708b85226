"""The section of the configuration about mail that waits.

In this file:
    Queue    when it is tried, and when no more
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key
from maildrop.queue.schedule import WAITS


@dataclass(frozen=True, slots=True)
class Queue:
    """Mail that goes elsewhere, or could not be delivered at once: it waits.

    `maildrop queue` shows and changes it.
    """

    retry: tuple[float, ...] = field(
        default=tuple(map(float, WAITS)),
        metadata=key(
            kinds.TIMES,
            "How long to wait after the first, second ... attempt; the last goes on. "
            "RFC 5321 section 4.5.4.1: at least 30 minutes after the first hour or so.",
            example='["1m", "5m", "15m", "30m", "1h", "2h", "4h"]',
        ),
    )
    give_up: float = field(
        default=5 * 86400.0,
        metadata=key(
            kinds.SECONDS,
            "How long a message is tried before it goes back to its sender. RFC 5321 "
            "section 4.5.4.1: at least four to five days.",
            example='"5d"',
        ),
    )
    warn: float = field(
        default=4 * 3600.0,
        metadata=key(
            kinds.SECONDS,
            "After how long its sender is told that it waits. 0 tells nobody.",
            example='"4h"',
        ),
    )
    entries: int = field(
        default=100,
        metadata=key(kinds.count(1, 10_000), "Messages that are tried at a time."),
    )
    per_destination: int = field(
        default=10,
        metadata=key(
            kinds.count(1, 1000),
            "Attempts for one destination at a time: a domain, a smarthost, a user's "
            "commands.",
        ),
    )
    rest: float = field(
        default=60.0,
        metadata=key(
            kinds.SECONDS,
            "How long a destination that cannot be reached is left alone; each time in "
            "a row twice as long, up to 16 times.",
            example='"1m"',
        ),
    )
    returned: int = field(
        default=50_000,
        metadata=key(
            kinds.OCTETS,
            "Messages up to this size go back whole when they cannot be delivered; of "
            "larger ones the header does.",
            example='"50k"',
        ),
    )
    double_bounces: str = field(
        default="",
        metadata=key(
            kinds.TEXT,
            "The address that is told of mail without a sender that cannot be "
            "delivered: reports on forged mail, mostly. Empty tells the log alone.",
            shown="nobody",
            example='"postmaster@example.org"',
        ),
    )

"""The section of the configuration about decisions and their reasons.

In this file:
    Decisions    how long it is known why mail fared as it did
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is kept for `maildrop why`: each decision about mail and logins."""

    keep: float = field(
        default=7 * 86400.0,
        metadata=key(
            kinds.SECONDS,
            "How long it can be asked why a message, a login or a session fared as it "
            "did. 0 keeps nothing.",
            example='"7d"',
        ),
    )
    keep_octets: int = field(
        default=100 << 20,
        metadata=key(
            kinds.OCTETS,
            "How much of that is kept, in decisions below state, the oldest given up "
            "first; a delivery is about half a kilobyte. 0 keeps nothing.",
            example='"100M"',
        ),
    )

"""The section of the configuration about mail of programs on this host.

In this file:
    Sendmail    who may send as whom
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key


@dataclass(frozen=True, slots=True)
class Sendmail:
    """Mail that programs of this host send with `sendmail`."""

    trusted: tuple[str, ...] = field(
        default=("*",),
        metadata=key(
            kinds.NAMES,
            'Accounts that may give any sender address (-f); "*" is everybody. Mail '
            "of others is from their own address, whatever they ask for. Received "
            "names the uid in any case.",
            example='["root", "www-data"]',
        ),
    )

"""Sections of the configuration about what mail may take up, and for how long.

In this file:
    Quota           how much mail a user may have
    QuotaWarning    one ``[[quota.warning]]``
    Housekeeping    when old things are removed
    Expire          one ``[[expire]]``
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """What is done when a user's mail reaches a part of the quota, once each time."""

    at: int = field(
        metadata=key(
            kinds.count(1, 100),
            "When so many percent of the octets or of the messages are used.",
            example="80",
        )
    )
    command: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.COMMAND,
            "A program and its arguments, run with the rights of the user; the "
            "environment says QUOTA_USER, QUOTA_PERCENT (what was reached), "
            "QUOTA_USED, QUOTA_LIMIT (octets), QUOTA_MESSAGES, QUOTA_MESSAGES_LIMIT.",
            shown="none",
            example='["/usr/local/bin/quota-warning"]',
        ),
    )
    message: str = field(
        default="",
        metadata=key(
            kinds.PATH_OR_NONE,
            "A file with a message that is put into the user's INBOX, full or not; %u, "
            "%p (percent), %o, %l (octets used, limit) and %% may stand in it.",
            shown="none",
            example='"quota-warning.eml"',
        ),
    )


@dataclass(frozen=True, slots=True)
class Quota:
    """How much mail a user may have, where the user's line does not say.

    `quota=` and `quota_messages=` in a user's line go before it.
    """

    storage: int = field(
        default=0,
        metadata=key(
            kinds.OCTETS,
            "Octets of all messages together. 0 is no limit.",
            example='"5G"',
        ),
    )
    messages: int = field(
        default=0,
        metadata=key(kinds.count(), "Messages in all mailboxes. 0 is no limit."),
    )
    grace: int = field(
        default=0,
        metadata=key(
            kinds.OCTETS,
            "How far the last message that is delivered may go beyond the limit; "
            "clients (APPEND, COPY) may not.",
            example='"10M"',
        ),
    )
    full: str = field(
        default="reject",
        metadata=key(
            kinds.choice("reject", "defer"),
            "What the sender of mail for a full mailbox hears: 552 5.2.2, the mail "
            "goes back; or 452 4.2.2, it is tried again.",
        ),
    )
    warning: tuple[QuotaWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """When expired messages, expunged ones and leftovers are removed."""

    every: float = field(
        default=86400.0,
        metadata=key(
            kinds.SECONDS,
            "How often the server walks over all users. 0 leaves it to `maildrop "
            "housekeeping`.",
            example='"1d"',
        ),
    )
    pace: int = field(
        default=2,
        metadata=key(
            kinds.count(1, 100),
            "Percent of its time that a thread works at it, so that clients notice "
            "nothing.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Expire:
    """After which time messages of some mailbox are expunged by themselves."""

    mailbox: str = field(
        metadata=key(
            kinds.TEXT,
            "The mailbox: its name, a name that ends in /* for all below it, or a "
            "special use such as \\\\Trash.",
            example='"Trash"',
        )
    )
    after: float = field(
        metadata=key(
            kinds.SECONDS,
            "How long after they came into it. Expunged messages are kept as "
            "`mail.keep_expunged` says.",
            example='"30d"',
        )
    )

"""What became of a message for one recipient."""

from dataclasses import dataclass

from maildrop.errors import MaildropError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message for one recipient.

    Attributes:
        error: Why it is not stored; None when it is, synced to disk.
        folder: Where it is stored.
        uid: Its UID there.
    """

    error: MaildropError | None = None
    folder: str = ""
    uid: int = 0

"""The section of the configuration that names mailboxes with a special use.

In this file:
    SpecialUse    the section ``[mail.special_use]``
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key


@dataclass(frozen=True, slots=True)
class SpecialUse:
    """Mailboxes made at a user's first login (RFC 6154); an empty name makes none."""

    drafts: str = field(
        default="Drafts", metadata=key(kinds.MAILBOX, "Messages being written.")
    )
    sent: str = field(
        default="Sent", metadata=key(kinds.MAILBOX, "Copies of messages sent.")
    )
    trash: str = field(
        default="Trash", metadata=key(kinds.MAILBOX, "Messages thrown away.")
    )
    junk: str = field(
        default="Junk", metadata=key(kinds.MAILBOX, "Messages taken for spam.")
    )
    archive: str = field(
        default="Archive", metadata=key(kinds.MAILBOX, "Messages put aside.")
    )

    def pairs(self) -> list[tuple[str, str]]:
        """Name and RFC 6154 attribute of each that is wanted."""
        named = {
            "\\Drafts": self.drafts,
            "\\Sent": self.sent,
            "\\Trash": self.trash,
            "\\Junk": self.junk,
            "\\Archive": self.archive,
        }
        return [(name, attribute) for attribute, name in named.items() if name]

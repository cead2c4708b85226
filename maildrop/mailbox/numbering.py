"""Mailboxes with numbers that were given elsewhere: for mail that moves in.

In this file:
    NumberingMailbox    a part of ``interfaces.StoredMailbox``
    NumberingStore      a part of ``interfaces.Store``

A mailbox that comes from another server keeps its UIDVALIDITY, UIDs and UIDNEXT if it
comes into an empty one: ``renumber`` it, ``reserve`` what comes before each message
that is not the next, add the message, and at the end ``reserve`` the UIDNEXT it had.
Who does so has to see that no pair of UIDVALIDITY and UID gets two contents (RFC 3501
section 2.3.1.1); a store only sees that UIDs grow.
"""

from collections.abc import Sequence
from typing import Protocol


class NumberingMailbox(Protocol):
    """An open mailbox that can be given numbers."""

    def reserve(self, uid_next: int, mod_seq: int = 0) -> None:
        """Use up numbers; they are never given to anything here.

        Args:
            uid_next: UIDNEXT becomes at least this.
            mod_seq: HIGHESTMODSEQ becomes at least this.
        """

    def fix_uidls(self, uids: Sequence[int], texts: Sequence[bytes]) -> None:
        """Give messages the POP3 unique ids (RFC 1939 section 7) they had elsewhere.

        Args:
            uids: The messages.
            texts: The id of each.
        """


class NumberingStore(Protocol):
    """Mailboxes that can be given numbers."""

    def renumber(self, name: str, uid_validity: int | None = None) -> int:
        """Give a mailbox another UIDVALIDITY; all else in it stays.

        One without messages begins with UID 1 again.

        Sessions that have it open find that it vanished.

        Args:
            name: The mailbox.
            uid_validity: Its new one; None for one that no mailbox here has had.

        Returns:
            The UIDVALIDITY it has now.

        Raises:
            MailboxNotFound, MailboxNotSelectable: as they say.
        """

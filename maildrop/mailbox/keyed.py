"""Messages that are known by a key: what is delivered twice is there once.

In this file:
    KeyedMailbox    a part of ``interfaces.StoredMailbox``

Who may have to try again what was perhaps done before (the queue, after a crash) gives
a message a key.  It is kept, with the message, on disk in the same step: whoever finds
the key need not add the message, though a client may have removed it meanwhile.

The key belongs to the mailbox.  If that was deleted, or its control files are lost, the
key is too, and the message is added once more.

Nobody adds a key while somebody else adds the same: the caller sees to that.
"""

from collections.abc import Sequence
from typing import Protocol


class KeyedMailbox(Protocol):
    """An open mailbox that keeps keys."""

    def came(self, key: bytes) -> bool:
        """Whether a message with a key was added; if so, it is on disk.

        Args:
            key: Printable ASCII.
        """

    def keys(self) -> Sequence[bytes]:
        """All keys that are kept."""

    def forget_keys(self, keys: Sequence[bytes]) -> None:
        """Nobody will ask for these any more.  After a power cut some may be back."""

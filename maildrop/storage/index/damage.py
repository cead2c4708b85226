"""What a control file that cannot be believed raises, inside this package."""

from maildrop.errors import StorageFailure


class Damaged(StorageFailure):
    """A control file is torn, bit-flipped or not ours.

    Attributes:
        uid_validity: The mailbox's, as far as it could still be read; 0 if not.
    """

    def __init__(self, reason: str, uid_validity: int = 0) -> None:
        super().__init__(reason)
        self.uid_validity = uid_validity

"""Credentials found right a short while ago.

In this file:
    Verified    remembers them

A password scheme takes 50 ms on purpose; a client that polls every minute pays that
once.  Kept is a keyed digest of name, password field and password: a changed file is
another field, so an old password stops working with the file; the password itself is
not kept and the key does not leave the process.

Limits: seconds, and the number of users remembered.
"""

import hashlib
import hmac
from collections import OrderedDict

from maildrop.auth.users import User


class Verified:
    """Right credentials by user.

    Args:
        key: Octets that nobody else knows.
        seconds: How long they are remembered; 0 for not at all.
        users: How many are.
    """

    def __init__(self, key: bytes, seconds: float = 300.0, users: int = 10_000) -> None:
        self._key = key
        self._seconds = seconds
        self._users = users
        self._known: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def _digest(self, user: User, password: str) -> bytes:
        text = f"{user.name}\0{user.password}\0{password}"
        return hashlib.blake2b(
            text.encode("utf-8", "surrogateescape"), key=self._key, digest_size=16
        ).digest()

    def knows(self, user: User, password: str, now: float) -> bool:
        """Whether the password was found right lately."""
        known = self._known.get(user.name)
        if known is None:
            return False
        digest, until = known
        if until <= now:
            del self._known[user.name]
            return False
        return hmac.compare_digest(digest, self._digest(user, password))

    def remember(self, user: User, password: str, now: float) -> None:
        """The password was found right."""
        if self._seconds <= 0:
            return
        self._known[user.name] = self._digest(user, password), now + self._seconds
        self._known.move_to_end(user.name)
        while len(self._known) > self._users:
            self._known.popitem(last=False)

    def forget(self, user: User) -> None:
        """A wrong password was given for the user."""
        self._known.pop(user.name, None)

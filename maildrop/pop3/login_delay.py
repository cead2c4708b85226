"""How often a user may log in: LOGIN-DELAY, RFC 2449 section 6.5.

In this file:
    LoginDelay    when each user logged in last

Limits: users remembered; those are enough that logged in within the delay.
"""

from collections import OrderedDict


class LoginDelay:
    """When each user logged in last.

    Args:
        seconds: Least time between two logins; 0 for none, which costs nothing.
        users: Users remembered.
    """

    def __init__(self, seconds: int = 0, users: int = 100_000) -> None:
        self.seconds = seconds
        self._users = users
        self._last: OrderedDict[str, float] = OrderedDict()

    def too_soon(self, name: str, now: float) -> bool:
        """Whether a user must wait; else this login is noted.

        Args:
            name: The account's name.
            now: The time.
        """
        if not self.seconds:
            return False
        last = self._last.get(name)
        if last is not None and now - last < self.seconds:
            return True
        self._last[name] = now
        self._last.move_to_end(name)
        while len(self._last) > self._users:
            self._last.popitem(last=False)
        return False

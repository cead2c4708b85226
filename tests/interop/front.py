"""A Postfix that takes mail for a maildrop behind it, on loopback.

In this file:
    Front    the process

It takes mail for ``example.org`` without asking.  How it hands it over, the test says.

Needs Debian's postfix, and root.
"""

from typing import Final

from tests.interop.postfix import Postfix
from tests.interop.server import DOMAIN

#: The account that mail belongs to, and that commands are run as.
ACCOUNT: Final = "mail"

_MAIN: Final = f"""
myhostname = front.test
mydestination = {DOMAIN}
mynetworks = 127.0.0.0/8
"""


class Front(Postfix):
    """A Postfix in front.

    Args:
        main: More for main.cf.
        master: More for master.cf.
    """

    def __init__(self, main: str, master: str = "") -> None:
        super().__init__("front")
        self.configure(_MAIN + main, master)

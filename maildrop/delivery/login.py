"""Accounts of this host, by number.

In this file:
    login_name    the name of one
"""

import pwd


def login_name(uid: int) -> str:
    """The name of an account of this host; its number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

"""Commands that do something for one user, or for every one.

In this file:
    each_user    their names, with a bar on a terminal
"""

from collections.abc import Iterator

from maildrop.admin.outcome import EX_NOUSER, Failed
from maildrop.admin.progress import counting
from maildrop.app.direct import Direct
from maildrop.errors import NoSuchUser


def each_user(direct: Direct, user: str | None) -> Iterator[str]:
    """The name of a user, or of every user.

    Raises:
        Failed: There is no such user.
    """
    if user is not None:
        try:
            yield direct.account(user).name
        except NoSuchUser as error:
            raise Failed(EX_NOUSER, str(error)) from error
        return
    names = direct.names()
    with counting() as show:
        for at, name in enumerate(names):
            show(name, at, len(names))
            yield name

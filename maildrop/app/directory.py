"""The users, as the configuration says.

In this file:
    open_users    the directory for server and ``maildrop user`` alike
    Standing      the clock of a command
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from maildrop.app.schema import Configuration
from maildrop.auth.passwd_file import Clock
from maildrop.auth.users import Defaults, Users
from maildrop.mailbox.gate import InThread
from maildrop.mailbox.quota import Quota


class Standing:
    """A clock that stands: a command looks at the file once."""

    def seconds(self) -> float:
        """Always the same."""
        return 0.0


def open_users(
    configuration: Configuration,
    clock: Clock,
    in_thread: InThread | None = None,
    reach: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Users:
    """The users of a configuration.

    Args:
        configuration: Names the file, and what its lines do not say.
        clock: Time.
        in_thread: Where a large file is read; None reads it at once.
        reach: A context in which the file may be read.
    """
    return Users(
        [configuration.users.passwd],
        Defaults(
            configuration.mail.location,
            home=configuration.users.home,
            quota=_quota(configuration),
        ),
        clock,
        domains=configuration.mail.domains,
        in_thread=in_thread,
        reach=reach,
    )


def _quota(configuration: Configuration) -> Quota:
    quota = configuration.quota
    warnings = sorted({warning.at for warning in quota.warning})
    return Quota(quota.storage, quota.messages, quota.grace, tuple(warnings))

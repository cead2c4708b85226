"""An account: whose mail it is, where it lies and with which rights it is touched."""

from dataclasses import dataclass, field

from maildrop.mailbox.quota import Quota


@dataclass(frozen=True, slots=True)
class Account:
    """One user, as the passwd-style file and the configuration give them.

    Attributes:
        name: The login name, in the form that owns the mail (``user`` or
            ``user@domain``).
        home: Absolute path of the home directory, variables expanded.
        location: Where the mail lies, variables expanded: ``maildir:/home/u/Maildir``
            or ``mbox:/var/spool/mail/u:/home/u/mail`` or ``memory:``.
        uid: Owner of the mail files, None for the server's own.
        gid: Their group, None for the server's own.
        groups: Supplementary groups.
        quota: How much mail it may have, None for no limit; another one makes it no
            other account.
        source: File and line that name it, for people; empty if none does.
    """

    name: str
    home: str
    location: str
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    quota: Quota | None = field(default=None, compare=False)
    source: str = field(default="", compare=False)

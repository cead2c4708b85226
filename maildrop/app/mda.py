"""``maildrop deliver``: what mail programs call to have a message stored.

In this file:
    run        does it; gives the exit status
    Asked      the arguments
    parse      reads them
    STATUSES   exit statuses by class of error

    -f SENDER   the reverse path, ``<>`` or nothing for none; else it is that of the
                Return-Path field, or ``From `` line, that the caller put at the top
    -d USER     whose mail it is; else that of the account that calls
    -a DETAIL   of the address: the folder of that name, if there is one
    -m FOLDER   the folder, if there is one of that name; else INBOX

It takes no part of the command line's library and no reactor, so that it starts sooner.

Exit status: that of sysexits(3), as MTAs understand them.  75 means that the message
stays with the caller and is tried again; what an administrator has to mend is among
that, for nobody's mail should go back because of it.

Security: started as root, the user's files are touched with the user's rights, as the
server does it.  Started as anybody else, it delivers to users whose files are the
caller's; to others it refuses.
"""

import getopt
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.app.alone import Alone
from maildrop.app.config import find, load
from maildrop.app.direct import Direct
from maildrop.app.noting import noting
from maildrop.app.schema import Configuration
from maildrop.delivery.address import split_detail
from maildrop.delivery.login import login_name
from maildrop.errors import (
    LimitExceeded,
    MaildropError,
    MailLoop,
    NoSuchUser,
    OverQuota,
    PermanentError,
    ProtocolSyntaxError,
    of_system,
)
from maildrop.mailbox.account import Account
from maildrop.sendmail.letter import NoAddress, address_list
from maildrop.smtp.wire.path import Path, path_of


class Misused(PermanentError):
    """The arguments say nothing that can be done."""


class NotYours(PermanentError):
    """The caller may not touch that user's files."""


#: The first class that fits counts; all other errors are for the administrator.
STATUSES: Final = (
    (Misused, os.EX_USAGE),
    (NoAddress, os.EX_USAGE),
    (NotYours, os.EX_NOPERM),
    (NoSuchUser, os.EX_NOUSER),
    (OverQuota, os.EX_CANTCREAT),
    (MailLoop, os.EX_UNAVAILABLE),
    (LimitExceeded, os.EX_DATAERR),
    (MaildropError, os.EX_TEMPFAIL),
)


@dataclass(slots=True)
class Asked:
    """The arguments.

    Attributes:
        sender: The reverse path; None for ``<>``.
        told: ``sender`` was told.
        user: Whose mail it is, empty for that of the caller.
        detail: Of the address.
        folder: Where to, empty for INBOX.
    """

    sender: Path | None = None
    told: bool = False
    user: str = ""
    detail: str = ""
    folder: str = ""


def parse(arguments: Sequence[str]) -> Asked:
    """Read the arguments.

    Raises:
        Misused, NoAddress: They say nothing that can be done.
    """
    try:
        options, rest = getopt.getopt(list(arguments), "f:r:d:a:m:")
    except getopt.GetoptError as error:
        raise Misused(str(error)) from error
    asked = Asked()
    for name, value in options:
        match name:
            case "-f" | "-r":
                asked.sender, asked.told = _sender(value), True
            case "-d":
                asked.user = value
            case "-a":
                asked.detail = value
            case "-m":
                asked.folder = value
    if len(rest) == 1 and not asked.user:
        asked.user = rest.pop()
    if rest:
        raise Misused("there is one user, after -d")
    return asked


def _sender(value: str) -> Path | None:
    octets = value.encode("utf-8", "surrogateescape").strip()
    if octets.upper() in {b"", b"<>", b"MAILER-DAEMON"}:
        return None
    found = address_list(octets)
    if len(found) != 1:
        raise Misused("-f is followed by one address")
    try:
        return path_of(found[0])
    except ProtocolSyntaxError as error:
        raise Misused(f"-f {found[0]}: {error}") from error


def run(arguments: Sequence[str], file: str | None) -> int:
    """Store the message on standard input.

    Args:
        arguments: See above.
        file: The configuration; None for the usual one.
    """
    try:
        asked = parse(arguments)
        configuration = load(find(file)).configuration
        direct = Direct(configuration)
        account = _account(asked, configuration, direct)
        octets = sys.stdin.buffer.read(configuration.limits.message + 1)
        with noting(configuration, direct.rights) as recorder:
            Alone(configuration, direct, recorder=recorder).deliver(
                account,
                octets,
                sender=asked.sender,
                told=asked.told,
                detail=asked.detail,
                folder=asked.folder,
            )
    except MaildropError as error:
        defer = isinstance(error, OverQuota) and configuration.quota.full == "defer"
        found = next(status for cls, status in STATUSES if isinstance(error, cls))
        return _say(str(error), os.EX_TEMPFAIL if defer else found)
    except OSError as error:
        return _say(of_system(error), os.EX_TEMPFAIL)
    return os.EX_OK


def _account(asked: Asked, configuration: Configuration, direct: Direct) -> Account:
    """Whose mail it is.

    Raises:
        NoSuchUser: There is no such user.
        NotYours: The caller may not.
    """
    uid = os.geteuid()
    name = asked.user or login_name(uid)
    try:
        account = direct.account(name)
    except NoSuchUser:
        user, detail = split_detail(name, configuration.mail.separator)
        if user == name or asked.detail:
            raise
        account, asked.detail = direct.account(user), detail
    if uid and account.uid not in {None, uid}:
        raise NotYours(
            f"uid {uid} may not deliver to {account.name}, whose files belong to uid "
            f"{account.uid}"
        )
    return account


def _say(text: str, status: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"maildrop deliver: {line}\n")
    return status

"""``maildrop adopt --prove``: what would a client notice of a change of servers?

In this file:
    prove_options    the options
    run              what they ask for

Who logs in comes from ``--login`` (the password is asked for, or read from a file) or
from ``--logins``, a file with a line for each user, fields separated by TAB:

    name TAB password [TAB name-at-new [TAB password-at-new]]

Exit status: 0 when there is no difference, 65 when there is one, else that of the first
user whose mail could not be compared.

Security: passwords are read from files, standard input or the terminal, never from the
command line, which everybody on the machine can read.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOPERM,
    EX_OK,
    EX_TEMPFAIL,
    EX_USAGE,
    Failed,
    as_json,
)
from maildrop.admin.progress import counting
from maildrop.errors import AuthenticationFailed, MaildropError, TemporaryError
from maildrop.migration.comparing import Difference
from maildrop.migration.connecting import Endpoint, Login, Security, endpoint
from maildrop.migration.proving import Depth, Side, prove

F = TypeVar("F", bound=Callable[..., Any])

#: Messages of each mailbox whose octets are compared, unless asked for otherwise.
SAMPLE: Final = 20
_TLS: Final = click.Choice([security.value for security in Security])

_OPTIONS: Final = (
    click.option("--old", metavar="HOST:PORT", help="IMAP of the old server."),
    click.option("--new", metavar="HOST:PORT", help="IMAP of the new server."),
    click.option("--old-pop3", metavar="HOST:PORT", help="POP3 of the old server."),
    click.option("--new-pop3", metavar="HOST:PORT", help="POP3 of the new server."),
    click.option(
        "--old-tls",
        type=_TLS,
        default="auto",
        help="TLS with the old server: auto begins it at once on 993 and 995, else "
        "with STARTTLS, and does without on loopback.",
    ),
    click.option("--new-tls", type=_TLS, default="auto", help="With the new one."),
    click.option("--no-verify", is_flag=True, help="Take any certificate."),
    click.option("--login", metavar="NAME", help="Log in as one user."),
    click.option(
        "--password-file",
        type=click.File("r", encoding="utf-8"),
        metavar="FILE",
        help="The password of --login in its first line; a second line is for the new "
        "server. - is standard input; without the option it is asked for.",
    ),
    click.option(
        "--logins",
        type=click.File("r", encoding="utf-8"),
        metavar="FILE",
        help="Log in as many users: lines of name TAB password [TAB name at the new "
        "server [TAB password there]]. - is standard input.",
    ),
    click.option(
        "--deep",
        is_flag=True,
        help="Compare ENVELOPE, BODYSTRUCTURE and all octets of every message.",
    ),
    click.option(
        "--sample",
        type=click.IntRange(0),
        default=SAMPLE,
        show_default=True,
        help="Else compare the octets of so many messages of each mailbox.",
    ),
)


def prove_options(command: F) -> F:
    """Give a command the options of a proof, and ``--json``."""
    for option in reversed((*_OPTIONS, as_json)):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class _User:
    """One user to be compared."""

    name: str
    old: Login
    new: Login


def run(
    *,
    old: str | None,
    new: str | None,
    old_pop3: str | None,
    new_pop3: str | None,
    old_tls: str,
    new_tls: str,
    no_verify: bool,
    login: str | None,
    password_file: Iterable[str] | None,
    logins: Iterable[str] | None,
    deep: bool,
    sample: int,
    as_json: bool,
) -> int:
    """Compare, and print every difference.

    Returns:
        The exit status.
    """
    verify = not no_verify
    if (old is None) != (new is None) or (old_pop3 is None) != (new_pop3 is None):
        raise Failed(EX_USAGE, "name both servers of a protocol: --old and --new, ...")
    if old is None and old_pop3 is None:
        raise Failed(EX_USAGE, "name the servers: --old and --new, --old-pop3 ...")
    if (login is None) == (logins is None):
        raise Failed(EX_USAGE, "say who logs in: --login NAME or --logins FILE")
    olds = _endpoints(old, old_pop3, old_tls, verify=verify)
    news = _endpoints(new, new_pop3, new_tls, verify=verify)
    users = _one(login, password_file) if login else read_logins(logins or ())
    pairs = (
        (user.name, Side(*olds, user.old), Side(*news, user.new)) for user in users
    )
    return _prove_all(pairs, Depth(deep, sample), as_json=as_json)


def _endpoints(
    imap: str | None, pop3: str | None, tls: str, *, verify: bool
) -> tuple[Endpoint | None, Endpoint | None]:
    security = Security(tls)
    return (
        endpoint(imap, 143, security, verify=verify) if imap else None,
        endpoint(pop3, 110, security, verify=verify) if pop3 else None,
    )


# -- who logs in


def _one(name: str, password_file: Iterable[str] | None) -> list[_User]:
    """The user of ``--login``."""
    if password_file is None:
        first = click.prompt(f"Password of {name}", hide_input=True, err=True)
        second = click.prompt(
            "At the new server (empty: the same)",
            default="",
            show_default=False,
            hide_input=True,
            err=True,
        )
    else:
        lines = [line.rstrip("\r\n") for line in itertools.islice(password_file, 2)]
        first, second = (*lines, "", "")[:2]
    if not first:
        raise Failed(EX_DATAERR, f"no password for {name}")
    return [_User(name, Login(name, first), Login(name, second or first))]


def read_logins(lines: Iterable[str]) -> Iterator[_User]:
    """The users of a file of logins; empty lines and comments are passed over.

    Raises:
        Failed: A line that is none, by its number.
    """
    for number, line in enumerate(lines, 1):
        fields = line.rstrip("\r\n").split("\t")
        if not line.strip() or line.startswith("#"):
            continue
        if not 2 <= len(fields) <= 4 or not fields[0] or not fields[1]:
            raise Failed(
                EX_DATAERR, f"line {number} of the logins: expected name TAB password"
            )
        name, password, new_name, new_password = (*fields, "", "")[:4]
        new = Login(new_name or name, new_password or password)
        yield _User(name, Login(name, password), new)


# -- what is printed


class _Lines:
    """Differences as they are found: a line each, or a JSON array of objects."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self.count = 0

    def add(self, user: str, difference: Difference) -> None:
        self.count += 1
        if not self._json:
            click.echo(_printable(f"{user} {difference}"))
            return
        shown = {
            "user": user,
            "protocol": difference.protocol,
            "mailbox": difference.mailbox or None,
            "uid": difference.uid,
            "what": difference.what,
            "old": difference.old or None,
            "new": difference.new or None,
        }
        click.echo(("[\n" if self.count == 1 else ",\n") + json.dumps(shown), nl=False)

    def end(self) -> None:
        if self._json:
            click.echo("\n]" if self.count else "[]")


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _prove_all(
    pairs: Iterable[tuple[str, Side, Side]], depth: Depth, *, as_json: bool
) -> int:
    """Compare all users; one that cannot be compared does not stop the others."""
    lines = _Lines(as_json=as_json)
    users = 0
    failed: MaildropError | None = None
    with counting() as show:
        for name, old, new in pairs:
            users += 1
            try:
                for difference in prove(
                    old, new, depth, lambda at, *n, name=name: show(f"{name} {at}", *n)
                ):
                    lines.add(name, difference)
            except MaildropError as error:
                failed = failed or error
                click.echo(_printable(f"maildrop: {name}: {error}"), err=True)
    lines.end()
    click.echo(f"maildrop: users: {users}, differences: {lines.count}", err=True)
    if lines.count:
        return EX_DATAERR
    return EX_OK if failed is None else _status(failed)


def _status(error: MaildropError) -> int:
    if isinstance(error, AuthenticationFailed):
        return EX_NOPERM
    return EX_TEMPFAIL if isinstance(error, TemporaryError) else EX_DATAERR

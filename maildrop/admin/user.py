"""``maildrop user``: add, change, remove and list users of the passwd-style file."""

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from maildrop.admin.outcome import (
    EX_CANTCREAT,
    EX_DATAERR,
    EX_NOUSER,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.directory import Standing, open_users
from maildrop.app.schema import Configuration
from maildrop.auth import passwords
from maildrop.auth.editing import Editor, UserExists, UserNotFound
from maildrop.auth.entry import BadLine, Entry
from maildrop.auth.stored import is_locked
from maildrop.auth.users import User, Users
from maildrop.durable import Disk
from maildrop.errors import PermanentError

#: Octets read for a password from standard input.
_PASSWORD_MAX = 4096

name_argument = click.argument("name")
stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)
scheme_option = click.option("--scheme", help="Hash it this way; else as auth.scheme.")


@click.group()
def user() -> None:
    """Add, change, remove and list users."""


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Exit statuses for what editing raises."""
    try:
        yield
    except UserNotFound as error:
        raise Failed(EX_NOUSER, str(error)) from error
    except (UserExists, BadLine) as error:
        raise Failed(EX_DATAERR, str(error)) from error


def _editor(configuration: Configuration) -> Editor:
    return Editor(configuration.users.passwd, Disk())


def _users(configuration: Configuration) -> Users:
    return open_users(configuration, Standing())


def _new_password(configuration: Configuration, scheme: str | None, stdin: bool) -> str:
    """The password field, of a password that is asked for."""
    if stdin:
        octets = sys.stdin.buffer.readline(_PASSWORD_MAX + 1)
        if len(octets) > _PASSWORD_MAX:
            raise Failed(EX_DATAERR, "the password is too long")
        password = octets.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
    else:
        password = click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )
    try:
        return passwords.make(password, os.urandom, scheme or configuration.auth.scheme)
    except PermanentError as error:
        raise Failed(EX_DATAERR, str(error)) from error


@user.command()
@name_argument
@stdin_option
@scheme_option
@click.option("--uid", default="", help="Owner of the mail: a number or a name.")
@click.option("--gid", default="", help="Its group.")
@click.option("--home", default="", help="Home directory; else as users.home.")
@click.option("--mail", default="", help="Mail location; else as mail.location.")
@click.option("--quota", default="", help="Octets of mail, such as 1G.")
@click.option("--quota-messages", default="", help="Number of messages.")
@click.option("--allow", default="", help="Only these services: imap,pop3.")
@click.option("--gecos", default="", help="The user's full name.")
@click.option("--create-home", is_flag=True, help="Make the home directory.")
@click.pass_obj
def add(
    setting: Setting,
    name: str,
    password_stdin: bool,
    scheme: str | None,
    uid: str,
    gid: str,
    home: str,
    mail: str,
    quota: str,
    quota_messages: str,
    allow: str,
    gecos: str,
    create_home: bool,
) -> None:
    """Add user NAME; asks for the password."""
    configuration = setting.reading().configuration
    editor = _editor(configuration)
    pairs = {
        "mail": mail,
        "quota": quota,
        "quota_messages": quota_messages,
        "allow": allow,
    }
    extra = " ".join(f"{key}={value}" for key, value in pairs.items() if value)
    if any(len(value.split()) > 1 for value in pairs.values()):
        raise Failed(EX_DATAERR, "a mail location, quota or service can hold no blanks")
    with _telling(), contextlib.suppress(UserNotFound):
        editor.entry(name)
        raise UserExists(f"user {name} is there already")
    stored = _new_password(configuration, scheme, password_stdin)
    entry = Entry(
        name, password=stored, uid=uid, gid=gid, gecos=gecos, home=home, extra=extra
    )
    os.makedirs(os.path.dirname(configuration.users.passwd), 0o755, exist_ok=True)
    with _telling():
        editor.add(entry)
    found = _users(configuration).lookup(name)
    if found is None:
        _tell_problems(configuration, name)
    elif create_home:
        _make_home(found)


def _tell_problems(configuration: Configuration, name: str) -> None:
    problems = "; ".join(_users(configuration).problems())
    raise Failed(EX_DATAERR, f"user {name} is added, but cannot be used: {problems}")


def _make_home(found: User) -> None:
    account = found.account
    try:
        os.makedirs(account.home, 0o700, exist_ok=True)
        if account.uid is not None and os.geteuid() == 0:
            gid = -1 if account.gid is None else account.gid
            os.chown(account.home, account.uid, gid)
    except OSError as error:
        message = f"cannot make {account.home}: {error.strerror}"
        raise Failed(EX_CANTCREAT, message) from error


@user.command()
@name_argument
@stdin_option
@scheme_option
@click.pass_obj
def passwd(
    setting: Setting, name: str, password_stdin: bool, scheme: str | None
) -> None:
    """Give user NAME a new password."""
    configuration = setting.reading().configuration
    editor = _editor(configuration)
    with _telling():
        editor.entry(name)
        stored = _new_password(configuration, scheme, password_stdin)
        editor.set_password(name, stored)


@user.command()
@name_argument
@click.pass_obj
def remove(setting: Setting, name: str) -> None:
    """Remove user NAME; the mail stays."""
    configuration = setting.reading().configuration
    with _telling():
        _editor(configuration).remove(name)


@user.command()
@name_argument
@click.pass_obj
def disable(setting: Setting, name: str) -> None:
    """Let user NAME log in no more; mail still comes in."""
    with _telling():
        _editor(setting.reading().configuration).disable(name)


@user.command()
@name_argument
@click.pass_obj
def enable(setting: Setting, name: str) -> None:
    """Let user NAME log in again."""
    with _telling():
        _editor(setting.reading().configuration).enable(name)


@user.command("list")
@json_option
@click.pass_obj
def list_(setting: Setting, as_json: bool) -> None:
    """List the users."""
    configuration = setting.reading().configuration
    users = _users(configuration)
    entries = _editor(configuration).entries()
    found = [users.lookup(entry.name) for entry in entries]
    rows = [_row(each) for each in found if each is not None]
    listing(_COLUMNS, rows, as_json=as_json)
    if not os.path.exists(configuration.users.passwd):
        return
    for problem in users.problems():
        click.echo(f"maildrop: {problem}", err=True)


_COLUMNS = ("name", "uid", "gid", "home", "location", "allow", "disabled")


def _row(found: User) -> list[object]:
    account = found.account
    allow = sorted(found.allow) if found.allow is not None else []
    return [
        account.name,
        account.uid,
        account.gid,
        account.home,
        account.location,
        allow,
        found.disabled,
    ]


@user.command()
@name_argument
@json_option
@click.pass_obj
def show(setting: Setting, name: str, as_json: bool) -> None:
    """Show user NAME, variables filled in."""
    configuration = setting.reading().configuration
    with _telling():
        entry = _editor(configuration).entry(name)
    found = _users(configuration).lookup(name)
    if found is None:
        raise Failed(EX_DATAERR, "; ".join(_users(configuration).problems()))
    locked = is_locked(found.password)
    scheme = found.password.partition("}")[0].strip("{") if not locked else "locked"
    values = dict(zip(_COLUMNS, _row(found), strict=True))
    values |= {
        "gecos": entry.gecos,
        "quota": found.quota.octets if found.quota else None,
        "quota messages": found.quota.messages if found.quota else None,
        "scheme": scheme if found.password.startswith("{") or locked else "CRYPT",
        "groups": list(found.account.groups),
    }
    if as_json:
        listing(list(values), [list(values.values())], as_json=True)
        return
    listing(("key", "value"), [list(pair) for pair in values.items()], as_json=False)

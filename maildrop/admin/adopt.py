"""``maildrop adopt``: take over the mail that another server has served.

In this file:
    adopt          the command
    exit_status    what an error of an account comes to

With ``--prove`` nothing is taken over: two servers are compared (``prove``).

Exit status: 0 when all is taken over (or would be), 65 when something would be lost or
is damaged, 75 when the other server is at work, 77 without the rights.
"""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TypedDict, Unpack

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from maildrop.admin import prove as proof
from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOPERM,
    EX_OK,
    EX_TEMPFAIL,
    EX_USAGE,
    Failed,
    Setting,
    listing,
)
from maildrop.app.adopting import Adopted, Adopting, Taken, Wanted
from maildrop.errors import AccessDenied, MaildropError, TemporaryError
from maildrop.mailbox.account import Account

_COLUMNS = (
    "user",
    "mailbox",
    "state",
    "from",
    "uidvalidity",
    "uidnext",
    "messages",
    "new",
    "keywords",
    "unique ids",
    "modseq",
)


class Servers(TypedDict):
    """The options of a proof; ``prove`` says what they are."""

    old: str | None
    new: str | None
    old_pop3: str | None
    new_pop3: str | None
    old_tls: str
    new_tls: str
    no_verify: bool
    login: str | None
    password_file: Iterable[str] | None
    logins: Iterable[str] | None
    deep: bool
    sample: int


@click.command()
@click.argument("path", required=False, type=click.Path())
@click.option("--all", "everybody", is_flag=True, help="The mail of all users.")
@click.option(
    "--from",
    "server",
    type=click.Choice(["auto", "dovecot", "courier", "uw", "cyrus"]),
    default="auto",
    show_default=True,
    help="Whose files are read; auto goes by those that are there.",
)
@click.option(
    "--user",
    metavar="NAME",
    help="Whose mail PATH is; for --from cyrus, where PATH is in Cyrus' spool and its "
    "messages are copied.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@click.option(
    "--accept-loss", is_flag=True, help="Go on where not everything can be kept."
)
@click.option(
    "--uidl",
    metavar="FORMAT",
    default="",
    help="How the old server made POP3 unique ids, as Dovecot's pop3_uidl_format; "
    "needed if it was not its default.",
)
@click.option("--prove", is_flag=True, help="Compare two servers that run.")
@proof.prove_options
@click.pass_obj
def adopt(
    setting: Setting,
    /,
    path: str | None,
    everybody: bool,
    server: str,
    user: str | None,
    dry_run: bool,
    accept_loss: bool,
    uidl: str,
    prove: bool,
    as_json: bool,
    **servers: Unpack[Servers],
) -> int:
    """Take over the mail at PATH, or of all users, from another server, in place.

    UIDs, flags, keywords, subscriptions and POP3 unique ids stay as they were; the
    other server's files are not changed. Stop the other server first.
    """
    if prove:
        return proof.run(as_json=as_json, **servers)
    if (path is None) == (not everybody):
        raise Failed(EX_USAGE, "name the PATH of a user's mail, or give --all")
    configuration = setting.reading().configuration
    adopting = Adopting(configuration)
    accounts = adopting.accounts()
    if user is not None:
        accounts = iter([adopting.account(user)])
    elif path is not None:
        accounts = iter([adopting.account_at(path)])
    form = uidl.encode("ascii", "replace")
    spool = os.path.abspath(path) if path is not None and server == "cyrus" else ""
    wanted = Wanted(server, dry_run, accept_loss, form, spool)
    return _all(adopting, accounts, wanted, as_json=as_json)


def _all(
    adopting: Adopting, accounts: Iterable[Account], wanted: Wanted, *, as_json: bool
) -> int:
    """Take over account by account; one that fails does not stop the others."""
    done = []
    failed: MaildropError | None = None
    with _showing() as show:
        for account in accounts:
            try:
                progress = functools.partial(show, account.name)
                done.append(adopting.adopt(account, wanted, progress))
            except MaildropError as error:
                failed = failed or error
                click.echo(f"maildrop: {account.name}: {error}", err=True)
    _tell(done, as_json=as_json)
    return EX_OK if failed is None else exit_status(failed)


def exit_status(error: MaildropError) -> int:
    """The exit status for an error of an account."""
    if isinstance(error, AccessDenied):
        return EX_NOPERM
    return EX_TEMPFAIL if isinstance(error, TemporaryError) else EX_DATAERR


@contextmanager
def _showing() -> Iterator[Callable[[str, str, int], None]]:
    """Progress on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _user, _mailbox, _done: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("")
        yield lambda user, mailbox, done: bar.update(
            task, description=f"{user} {mailbox} {done}"
        )


def _tell(done: Sequence[Adopted], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(adopted) for adopted in done], indent=2))
        return
    rows = [
        _row(adopted.account, taken) for adopted in done for taken in adopted.mailboxes
    ]
    if rows:
        listing(_COLUMNS, rows, as_json=False)
    for adopted in done:
        click.echo(f"maildrop: {adopted.account}: {adopted.found}", err=True)
        for taken in adopted.mailboxes:
            for text in (*taken.losses, *taken.remarks):
                where = f"{adopted.account}, {taken.mailbox}"
                click.echo(f"maildrop: {where}: {text}", err=True)
        uses = [f"{name} {use}" for name, use in adopted.special_use]
        if uses:
            click.echo(f"maildrop: {adopted.account}: {', '.join(uses)}", err=True)


def _row(user: str, taken: Taken) -> list[object]:
    return [
        user,
        taken.mailbox,
        taken.state,
        taken.server,
        taken.uid_validity or None,
        taken.uid_next or None,
        taken.messages,
        taken.new,
        len(taken.keywords),
        taken.unique_ids,
        taken.highest_mod_seq or None,
    ]

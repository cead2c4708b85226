"""``maildrop release``: give mail back to another server.

In this file:
    release    the command

Exit status: 0 when all is written (or would be), 65 when the other server could not
keep something, 67 for a user that is not there, 75 when maildrop or the other server is
at work.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict

import click

from maildrop.admin.adopt import exit_status
from maildrop.admin.outcome import (
    EX_OK,
    EX_TEMPFAIL,
    EX_USAGE,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.releasing import Back, Given, Released, Releasing
from maildrop.control.client import NotRunning, Refused, request
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account

_COLUMNS = (
    "user",
    "mailbox",
    "state",
    "uidvalidity",
    "uidnext",
    "messages",
    "keywords",
    "unique ids",
)


@click.command()
@click.argument("user", required=False)
@click.option("--all", "everybody", is_flag=True, help="The mail of all users.")
@click.option(
    "--to",
    "server",
    type=click.Choice(["dovecot", "courier", "mbox"]),
    required=True,
    help="Who serves it from now on; mbox is UW-IMAP, Pine and their like.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@click.option(
    "--accept-loss", is_flag=True, help="Go on where not everything can be kept."
)
@click.option(
    "--names",
    type=click.Choice(["utf-8", "utf-7"]),
    default="utf-8",
    show_default=True,
    help="How Courier has names of mailboxes: utf-7 before version 5.",
)
@json_option
@click.pass_obj
def release(
    setting: Setting,
    /,
    user: str | None,
    everybody: bool,
    server: str,
    dry_run: bool,
    accept_loss: bool,
    names: str,
    as_json: bool,
) -> int:
    """Write another server's files beside the mail of USER, or of all users.

    UIDs, flags, keywords, subscriptions and POP3 unique ids stay as they are. Stop
    maildrop first; start the other server then.
    """
    if (user is None) == (not everybody):
        raise Failed(EX_USAGE, "name a USER, or give --all")
    configuration = setting.reading().configuration
    if not dry_run and _runs(configuration.control_socket):
        raise Failed(
            EX_TEMPFAIL,
            "maildrop runs: what it does from now on the other server would not know."
            " Stop it first (maildrop stop)",
        )
    releasing = Releasing(configuration)
    accounts = releasing.accounts() if user is None else [releasing.account(user)]
    back = Back(server, dry_run, accept_loss, names == "utf-8")
    return _all(releasing, accounts, back, as_json=as_json)


def _runs(socket: str) -> bool:
    try:
        request(socket, {"command": "status"})
    except NotRunning:
        return False
    except Refused:
        return True
    return True


def _all(
    releasing: Releasing, accounts: Iterable[Account], back: Back, *, as_json: bool
) -> int:
    """Release account by account; one that fails does not stop the others."""
    done: list[Released] = []
    failed: MaildropError | None = None
    for account in accounts:
        try:
            done.append(releasing.release(account, back))
        except MaildropError as error:
            failed = failed or error
            click.echo(f"maildrop: {account.name}: {error}", err=True)
    if as_json:
        click.echo(json.dumps([asdict(released) for released in done], indent=2))
    else:
        _tell(done)
    return EX_OK if failed is None else exit_status(failed)


def _tell(done: Iterable[Released]) -> None:
    rows = [
        _row(released.account, given)
        for released in done
        for given in released.mailboxes
    ]
    if rows:
        listing(_COLUMNS, rows, as_json=False)
    for released in done:
        for given in released.mailboxes:
            for text in (*given.losses, *given.remarks):
                where = f"{released.account}, {given.mailbox}"
                click.echo(f"maildrop: {where}: {text}", err=True)


def _row(user: str, given: Given) -> list[object]:
    return [
        user,
        given.mailbox,
        given.state,
        given.uid_validity,
        given.uid_next,
        given.messages,
        len(given.keywords),
        given.unique_ids,
    ]

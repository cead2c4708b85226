"""``maildrop aliases``: what addresses mean, and what is wrong with the files of it."""

import click

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOUSER,
    EX_TEMPFAIL,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.addresses import Addresses
from maildrop.delivery.actions import shown
from maildrop.errors import MaildropError, TemporaryError


@click.group()
def aliases() -> None:
    """Look up aliases, virtual aliases and .forward files, and check them."""


@aliases.command()
@json_option
@click.pass_obj
def check(setting: Setting, as_json: bool) -> None:
    """List everything that is wrong in these files (exit status 65)."""
    found = list(Addresses(setting.reading().configuration).problems())
    if as_json:
        listing(["problem"], [[problem] for problem in found], as_json=True)
    else:
        for problem in found:
            click.echo(problem)
    if found:
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        raise Failed(EX_DATAERR, count)


@aliases.command()
@json_option
@click.pass_obj
def show(setting: Setting, as_json: bool) -> None:
    """List all aliases and virtual aliases, with file and line."""
    rows = [
        (named.name, named.values, named.file, named.line)
        for named in Addresses(setting.reading().configuration).all()
    ]
    listing(("name", "values", "file", "line"), rows, as_json=as_json)


@aliases.command()
@click.argument("name")
@click.option("--from", "sender", default="", help="The reverse path of the mail.")
@json_option
@click.pass_obj
def lookup(setting: Setting, name: str, sender: str, as_json: bool) -> None:
    """Say what is done with mail for NAME, an address or a name of ours, and why.

    Exit status 67 if nobody has it.
    """
    addresses = Addresses(setting.reading().configuration)
    try:
        recipient = addresses.means(name, sender)
    except TemporaryError as error:
        raise Failed(EX_TEMPFAIL, str(error)) from error
    except MaildropError as error:
        raise Failed(EX_NOUSER, str(error)) from error
    rows = [
        (
            shown(action),
            "" if action.sender is None else str(action.sender),
            [str(reason) for reason in action.why],
        )
        for action in recipient.actions
    ]
    if as_json:
        listing(("action", "sender", "why"), rows, as_json=True)
        return
    for action, reverse, why in rows:
        click.echo(action + (f" from <{reverse}>" if reverse else ""))
        for step in why:
            click.echo(f"    {step}")

"""``maildrop kick``: end sessions."""

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import EX_NOUSER, Failed, Setting


@click.command()
@click.argument("sessions", nargs=-1, metavar="[SESSION]...")
@click.option("--user", default="", help="All of this user's.")
@click.option("--address", default="", help="All from this address.")
@click.pass_obj
def kick(setting: Setting, sessions: tuple[str, ...], user: str, address: str) -> None:
    """End sessions: by number, as `maildrop who` lists them, by user or by address."""
    if not (sessions or user or address):
        raise click.UsageError("kick whom? SESSION, --user or --address is needed")
    kicked = sum(
        ask(setting, "kick", session=session, user=user, address=address)["kicked"]
        for session in sessions or ("",)
    )
    if not kicked:
        raise Failed(EX_NOUSER, "there is no such session")
    click.echo(f"{kicked} ended")

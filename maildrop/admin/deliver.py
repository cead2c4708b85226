"""``maildrop deliver``: store a message for a user, as an MTA's local delivery."""

import click

from maildrop.admin.outcome import Setting
from maildrop.app import mda


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    },
    options_metavar="[-f SENDER] [-d USER] [-a DETAIL] [-m FOLDER]",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="")
@click.pass_obj
def deliver(setting: Setting, arguments: tuple[str, ...]) -> int:
    """Store the message on standard input; it is on disk when this ends with 0.

    For MTAs and programs that fetch mail.  -f gives the reverse path (else Return-Path
    or a `From ` line at the top), -d the user (else who calls; another needs root), -a
    the detail of the address, which names a folder if there is one, -m a folder.
    Aliases and .forward are not followed.  Exit status 67: no such user, 73: the
    mailbox is full, 69: a loop, 65: too large, 75: try again later.
    """
    return mda.run(arguments, setting.file)

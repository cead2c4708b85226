"""``maildrop sendmail``: send a message, as programs call sendmail."""

import click

from maildrop.admin import entry
from maildrop.admin.outcome import Setting


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    }
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def sendmail(setting: Setting, arguments: tuple[str, ...]) -> int:
    """Send the message on standard input to the addresses in ARGUMENTS.

    The options are those of sendmail: -t takes recipients from To, Cc and Bcc, -i sends
    lines with a dot, -f gives the reverse path, -F the full name, -N -R -V ask for
    reports, -bp lists the queue, -q tries it, -bs speaks SMTP.  The server need not
    run: the message waits for it.  `maildrop install-sendmail` gives programs that want
    it /usr/sbin/sendmail.
    """
    return entry.sendmail("sendmail", arguments, setting.file)

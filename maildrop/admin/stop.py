"""``maildrop stop``: end the running server."""

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import Setting


@click.command()
@click.pass_obj
def stop(setting: Setting) -> None:
    """End maildrop: sessions are told, mailboxes closed."""
    ask(setting, "stop")

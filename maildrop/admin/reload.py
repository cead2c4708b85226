"""``maildrop reload``: let the running server take up changes."""

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import Setting


@click.command()
@click.pass_obj
def reload(setting: Setting) -> None:
    """Let maildrop take up changes of the configuration and the certificate.

    What needs a restart is told, here and in the log. SIGHUP does the same.
    """
    for key in ask(setting, "reload").get("restart", ()):
        click.echo(f"{key}: the change needs a restart")

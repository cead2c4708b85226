"""``maildrop reload``: let the running server take up changes."""

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import Setting


@click.command()
@click.pass_obj
def reload(setting: Setting) -> None:
    """Let maildrop take up changes of the configuration and the certificate.

    The log says what needs a restart. SIGHUP does the same.
    """
    ask(setting, "reload")

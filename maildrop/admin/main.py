"""The ``maildrop`` command: what stands before every subcommand.

In this file:
    maildrop    the group of all commands
    COMMANDS    their names
    main        entry point of the console script

Exit status: that of sysexits(3); see ``outcome``.
"""

import importlib
import keyword
import sys
from collections.abc import Sequence
from typing import Final

import click

from maildrop import __version__
from maildrop.admin.outcome import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_DATAERR,
    EX_NOPERM,
    EX_TEMPFAIL,
    EX_USAGE,
    Failed,
    Setting,
)
from maildrop.errors import (
    AccessDenied,
    ConfigurationError,
    MaildropError,
    TemporaryError,
)

#: The commands; each is in the file of its name.
COMMANDS: Final = (
    "adopt",
    "aliases",
    "check",
    "completion",
    "config",
    "deliver",
    "demo",
    "etrn",
    "explain",
    "export",
    "housekeeping",
    "import",
    "install-sendmail",
    "kick",
    "queue",
    "quota",
    "reload",
    "release",
    "sendmail",
    "status",
    "stop",
    "undelete",
    "user",
    "who",
    "why",
)


class Commands(click.Group):
    """Commands whose files are loaded when wanted: some load all of Twisted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        module = importlib.import_module(f"maildrop.admin.{name}")
        command = getattr(module, name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The configuration; else conf/maildrop.toml, else "
    "/etc/maildrop/maildrop.toml.",
)
@click.version_option(__version__, prog_name="maildrop", message="%(prog)s %(version)s")
@click.pass_context
def maildrop(context: click.Context, config_file: str | None) -> None:
    """Administer maildrop, the mail server (which runs as `twistd maildrop`)."""
    context.obj = Setting(config_file)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    try:
        result = maildrop.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="maildrop",
            standalone_mode=False,
        )
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        return _say(error.format_message(), _status(error))
    except OSError as error:
        return _say(f"{error.filename}: {error.strerror}", EX_CANTCREAT)
    except MaildropError as error:
        return _say(str(error), _status(error))
    except click.Abort:
        return _say("interrupted", 130)  # as shells have it for SIGINT
    return result if isinstance(result, int) else 0


def _say(message: str, status: int) -> int:
    for line in message.splitlines():
        click.echo(f"maildrop: {line}", err=True)
    return status


def _status(error: Exception) -> int:
    """The exit status for an error: of the first class that fits."""
    if isinstance(error, Failed):
        return error.status
    return next(status for cls, status in _STATUSES if isinstance(error, cls))


#: Exit statuses by class of error.
_STATUSES: Final = (
    (click.UsageError, EX_USAGE),
    (ConfigurationError, EX_CONFIG),
    (AccessDenied, EX_NOPERM),
    (TemporaryError, EX_TEMPFAIL),
    (Exception, EX_DATAERR),
)


def main() -> None:
    """Entry point."""
    sys.exit(run())

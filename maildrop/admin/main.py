"""The ``maildrop`` command: what stands before every subcommand.

In this file:
    maildrop    the group of all commands
    COMMANDS    their names, and what each is for
    main        entry point of the console script

Exit status: that of sysexits(3); see ``outcome``.
"""

import importlib
import keyword
import sys
from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem

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
    of_system,
)

#: The commands, each in the file of its name, and what the list of them says.
COMMANDS: Final = {
    "adopt": "Take over the mail at PATH, or of all users, from another "
    "server, in place",
    "aliases": "Look up aliases, virtual aliases and .forward files, and check them",
    "check": "Check the mail of USER, or of all users, for damage",
    "completion": "Print the completion script of a shell",
    "config": "Check, show and explain the configuration",
    "deliver": "Store the message on standard input; it is on disk when "
    "this ends with 0",
    "demo": "Run a whole server to try in DIRECTORY (maildrop-demo if not named)",
    "etrn": "Ask SERVER to send what waits there for DOMAINs (ETRN, RFC 1985)",
    "explain": "Tell what would become of a message for RECIPIENT, and why; do nothing",
    "export": "Export the mailboxes of USER to TARGET",
    "housekeeping": "Expunge what expired, give up what was kept for long "
    "enough, and tidy up",
    "import": "Import mail from each SOURCE into the mailboxes of USER",
    "install-sendmail": "Make sendmail, mailq and newaliases in DIRECTORY, such as "
    "/usr/local/sbin",
    "kick": "End sessions: by number, as `maildrop who` lists them, by "
    "user or by address",
    "queue": "Show and change mail that waits",
    "quota": "Show how much mail USER has, or every user",
    "reload": "Let maildrop take up changes of the configuration and the certificate",
    "release": "Write another server's files beside the mail of USER, or of all users",
    "sendmail": "Send the message on standard input to the addresses in ARGUMENTS",
    "status": "Tell whether maildrop runs (exit status 69 if not), and how it does",
    "stop": "End maildrop: sessions are told, mailboxes closed",
    "undelete": "Bring back messages that USER expunged, with their flags and mailbox",
    "user": "Add, change, remove and list users",
    "who": "List the sessions: user, protocol, client, since when, mailbox, octets",
    "why": "Tell what became of KEY, and why",
}


class Commands(click.Group):
    """Commands whose files are loaded when wanted: some load all of Twisted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """The list of them, for which none is loaded."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """What a word may become, for which none is loaded."""
        found = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

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
@click.version_option(package_name="maildrop", message="%(prog)s %(version)s")
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
        return _say(of_system(error), EX_CANTCREAT)
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

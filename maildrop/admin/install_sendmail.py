"""``maildrop install-sendmail``: the names by which programs send mail, as links."""

import contextlib
import os
import shlex
import shutil
import sys

import click

from maildrop.admin.outcome import EX_CANTCREAT, Failed, Setting
from maildrop.app.privileges import make_directory, rights
from maildrop.app.schema import Configuration
from maildrop.durable import Disk
from maildrop.mailbox.account import Account
from maildrop.queue.drop import prepare
from maildrop.sendmail.options import CALLED
from maildrop.sendmail.setting import PLACE

_SCRIPT = '#!/bin/sh\nexec {maildrop} --config {file} {name} "$@"\n'


@click.command("install-sendmail")
@click.argument("directory", type=click.Path(file_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Replace files of other programs.")
@click.pass_obj
def install_sendmail(setting: Setting, directory: str, *, force: bool) -> None:
    """Make sendmail, mailq and newaliases in DIRECTORY, such as /usr/local/sbin.

    They are links to maildrop; where the configuration is not
    /etc/maildrop/maildrop.toml, small scripts that name it.  The drop directory is
    made, too, so that mail can be sent before the server has run.
    """
    reading = setting.reading()
    maildrop = _command()
    made = [
        (
            os.path.join(directory, name),
            _SCRIPT.format(
                maildrop=shlex.quote(maildrop),
                file=shlex.quote(reading.file),
                name=name,
            ),
        )
        for name in CALLED
    ]
    for path, _ in made:
        if os.path.lexists(path) and not force and not _ours(path, maildrop):
            raise Failed(
                EX_CANTCREAT, f"{path} is another program's; --force replaces it"
            )
    _make_drop(reading.configuration)
    for path, script in made:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if reading.file == PLACE:
            os.symlink(maildrop, path)
        else:
            Disk().replace_file(path, script.encode(), 0o755)
        click.echo(path)


def _make_drop(configuration: Configuration) -> None:
    owners = rights(configuration.user, os.geteuid())
    queue = os.path.join(configuration.state, "queue")
    make_directory(configuration.state, owners, 0o711)
    make_directory(queue, owners, 0o711)
    with owners.as_owner(Account("", "", "")):
        prepare(os.path.join(queue, "drop"), Disk())


def _command() -> str:
    """The path of the console script.

    Raises:
        Failed: It is not installed.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "maildrop")
    found = beside if os.access(beside, os.X_OK) else shutil.which("maildrop")
    if found is None:
        raise Failed(EX_CANTCREAT, "the command maildrop is not installed")
    return os.path.abspath(found)


def _ours(path: str, maildrop: str) -> bool:
    """Whether a link or script is one that we made before."""
    if os.path.islink(path):
        return os.readlink(path) == maildrop
    try:
        with open(path, "rb") as file:
            start = f"#!/bin/sh\nexec {shlex.quote(maildrop)} --config ".encode()
            return file.read(len(start)) == start
    except OSError:
        return False

"""``maildrop install-sendmail``: the names by which programs send mail, as links."""

import contextlib
import os
import shlex
import stat
import sys
from collections.abc import Iterator

import click

from maildrop.admin.outcome import EX_CANTCREAT, Failed, Setting
from maildrop.app.config import Reading
from maildrop.app.privileges import make_directory, rights
from maildrop.app.schema import Configuration
from maildrop.durable import Disk
from maildrop.mailbox.account import Account
from maildrop.queue.drop import prepare
from maildrop.sendmail.options import CALLED
from maildrop.sendmail.setting import PLACE, STATE

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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
    for warning in _unreachable(maildrop, reading):
        click.echo(f"maildrop: {warning}", err=True)
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
    """The path of the console script: the one that runs, or that of its interpreter.

    PATH is not asked: Courier has a program of the same name.

    Raises:
        Failed: It is not installed.
    """
    called = sys.argv[0]
    beside = os.path.join(os.path.dirname(sys.executable), "maildrop")
    if os.path.basename(called) == "maildrop" and os.path.dirname(called):
        beside = called
    if not os.access(beside, os.X_OK):
        raise Failed(EX_CANTCREAT, "the command maildrop is not installed")
    return os.path.abspath(beside)


def _unreachable(maildrop: str, reading: Reading) -> Iterator[str]:
    """What other users cannot use, and so cannot send with."""
    for path in (maildrop, os.path.realpath(sys.executable), _PACKAGE):
        barred = _barred(path)
        if barred:
            yield (
                f"{barred} is not for all: other users cannot send, for they need "
                f"{path}; install maildrop elsewhere, such as /opt/maildrop"
            )
            return
    barred = _barred(reading.file)
    if barred and reading.configuration.state != STATE:
        yield (
            f"{barred} is not for all: other users cannot read that state is not "
            f"{STATE}, and their mail goes astray"
        )


def _barred(path: str) -> str:
    """The first of a path and the directories above it that is not for all."""
    path = os.path.abspath(path)
    wanted = stat.S_IROTH
    while True:
        if not os.stat(path).st_mode & wanted:
            return path
        if path == "/":
            return ""
        path, wanted = os.path.dirname(path), stat.S_IXOTH


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

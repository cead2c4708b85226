"""``maildrop check``: look for damage in the mail of users, and repair it."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOUSER,
    EX_OK,
    Failed,
    Setting,
    as_json as json_option,
)
from maildrop.app.checking import Checking, Found, Progress as Far
from maildrop.app.direct import Direct
from maildrop.errors import NoSuchUser


@click.command()
@click.argument("user", required=False)
@click.option("--repair", is_flag=True, help="Put right what can be derived.")
@json_option
@click.pass_obj
def check(setting: Setting, user: str | None, *, repair: bool, as_json: bool) -> int:
    """Check the mail of USER, or of all users, for damage.

    The server may go on running.  Without --repair nothing is changed.  Exit status 65
    tells that something is left to be done.
    """
    direct = Direct(setting.reading().configuration)
    names = [user] if user is not None else direct.names()
    found: list[Found] = []
    with _bar(len(names)) as far:
        checking = Checking(direct, far, repair=repair)
        for name in names:
            try:
                for each in checking.user(name):
                    found.append(each)
                    if not as_json:
                        _tell(each)
            except NoSuchUser as error:
                raise Failed(EX_NOUSER, str(error)) from error
    if as_json:
        click.echo(json.dumps([each.facts() for each in found], indent=2))
    else:
        _sum_up(found, far, repair=repair)
    return EX_DATAERR if any(each.open for each in found) else EX_OK


@contextlib.contextmanager
def _bar(users: int) -> Iterator[Far]:
    """Tells on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield Far()
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("messages"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)

    def show(far: Far) -> None:
        total = far.known if users == 1 else None
        bar.update(task, description=far.user, completed=far.messages, total=total)

    with bar:
        yield Far(changed=show)


def _tell(found: Found) -> None:
    """Print a finding: what and where, the evidence, what is or was to be done."""
    finding = found.finding
    where = [found.user, finding.mailbox or "-"]
    if finding.uid is not None:
        where.append(f"UID {finding.uid}")
    click.echo(f"{' '.join(where)}: {finding.code.code}: {finding.code.value.says}")
    facts = found.facts()
    if facts["path"]:
        click.echo(f"  file:     {facts['path']}")
    click.echo(f"  evidence: {finding.evidence}")
    if found.repaired:
        click.echo(f"  repaired: {finding.repair}")
    elif found.why_not:
        click.echo(f"  not repaired: {found.why_not}")
    elif finding.derived:
        click.echo(f"  --repair: {finding.repair}")
    else:
        click.echo(f"  to do:    {finding.repair}")


def _sum_up(found: Sequence[Found], far: Far, *, repair: bool) -> None:
    repaired = sum(each.repaired for each in found)
    left = [each for each in found if each.open]
    by_repair = sum(each.finding.derived for each in left)
    by_hand = len(left) - by_repair
    parts = [f"{far.messages} messages looked at"]
    if repaired:
        parts.append(f"{repaired} findings repaired")
    if by_repair:
        parts.append(
            f"{by_repair} could not be repaired"
            if repair
            else f"{by_repair} for --repair"
        )
    if by_hand:
        parts.append(f"{by_hand} to be done by hand")
    if not left:
        parts.append("nothing to do")
    click.echo(", ".join(parts))

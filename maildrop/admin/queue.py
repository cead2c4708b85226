"""``maildrop queue``: mail that waits.

In this file:
    queue    the group; its commands list, show, flush, hold, release, delete, bounce

Entries are named by their ids, or by what ``--sender``, ``--recipient`` and ``--all``
say.  They are changed on disk, whether a server runs or not.

Exit status: 65 for an entry that is not there, 75 for one that is being tried just now,
77 for those who may not see others' mail.
"""

import datetime
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.schema import Configuration
from maildrop.durable import Disk
from maildrop.queue import handling
from maildrop.queue.drop import COMPLETE
from maildrop.queue.entry import Damaged, Entry, FromLater, Waiting
from maildrop.queue.handling import Busy, Gone
from maildrop.queue.spool import Spool
from maildrop.queue.turns import bring_forward

_COLUMNS: Final = (
    "id",
    "state",
    "size",
    "arrived",
    "next try",
    "sender",
    "recipients",
    "why",
)
#: Recipients shown in a row.
_SHOWN: Final = 3


@click.group()
def queue() -> None:
    """Show and change mail that waits."""


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments that name entries."""
    for option in (
        click.argument("ids", metavar="[ID]...", nargs=-1),
        click.option("--sender", metavar="TEXT", help="Whose sender has this in it."),
        click.option(
            "--recipient",
            metavar="TEXT",
            help="That wait for a recipient with this in it: an address, or a domain.",
        ),
    ):
        command = option(command)
    return command


_all = click.option("--all", "everything", is_flag=True, help="All entries.")


@queue.command("list")
@_chosen
@json_option
@click.pass_obj
def list_(
    setting: Setting,
    ids: Sequence[str],
    sender: str | None,
    recipient: str | None,
    as_json: bool,
) -> None:
    """List what waits, the oldest first."""
    configuration = setting.reading().configuration
    spool, now = _spool(configuration), time.time()
    found = _entries(spool, ids, sender, recipient)
    listing(_COLUMNS, [_row(entry, now) for entry in found], as_json=as_json)
    dropped = _dropped(configuration)
    if dropped:
        click.echo(
            f"maildrop: {dropped} more from local programs, for the server to take "
            "when it runs: mailq lists them",
            err=True,
        )


def _dropped(configuration: Configuration) -> int:
    """How many messages wait in the drop directory."""
    try:
        names = os.listdir(os.path.join(configuration.state, "queue", "drop"))
    except FileNotFoundError:
        return 0
    return sum(name.endswith(COMPLETE) for name in names)


@queue.command()
@click.argument("entry_id", metavar="ID")
@click.option("--message", is_flag=True, help="Print the message instead.")
@json_option
@click.pass_obj
def show(setting: Setting, entry_id: str, message: bool, as_json: bool) -> None:
    """Show all that is known of an entry, or its message."""
    spool = _spool(setting.reading().configuration)
    entry = _look(spool, entry_id)
    if message:
        with open(f"{spool.entries}/{entry_id}", "rb") as file:
            file.readline()
            sys.stdout.buffer.write(file.read(entry.size))
        return
    facts = [
        ("id", entry.id),
        ("state", _state(entry, time.time())),
        ("sender", f"<{entry.sender}>"),
        ("size", entry.size),
        ("arrived", _moment(entry.arrived)),
        ("next try", _moment(entry.next)),
        ("reports on", entry.options.report),
        ("envelope id", entry.options.envelope_id),
        ("return", entry.options.ret),
    ]
    rows = [_recipient_row(each) for each in entry.recipients]
    if as_json:
        found: dict[str, object] = {name.replace(" ", "_"): to for name, to in facts}
        found["recipients"] = [dict(zip(_RECIPIENT, row, strict=True)) for row in rows]
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in facts:
        if value != "":
            click.echo(f"{name + ':':<13}{value}")
    click.echo()
    listing(_RECIPIENT, rows, as_json=False)


_RECIPIENT: Final = (
    "number",
    "address",
    "state",
    "relay",
    "destination",
    "tries",
    "code",
    "why",
    "sender",
    "original",
    "notify",
    "via",
)


def _recipient_row(each: Waiting) -> list[object]:
    status = each.status
    return [
        each.number,
        each.address,
        each.kind.value,
        each.relay,
        each.destination,
        each.tries,
        status.code if status is not None else "",
        status.text if status is not None else "",
        "" if each.sender is None else f"<{each.sender}>",
        each.original,
        ",".join(each.notify),
        each.via,
    ]


@queue.command()
@_chosen
@click.pass_obj
def flush(
    setting: Setting, ids: Sequence[str], sender: str | None, recipient: str | None
) -> None:
    """Try entries now, whatever their time; without arguments all that are not held."""
    configuration = setting.reading().configuration
    spool = _spool(configuration)
    if ids or sender or recipient:
        ids = [entry.id for entry in _entries(spool, ids, sender, recipient)]
        if not ids:
            click.echo("0 entries are due")
            return
    try:
        due = ask(setting, "flush", ids=list(ids))["due"]
    except Failed as failed:
        if failed.status != EX_UNAVAILABLE:
            raise
        due = len(bring_forward(spool, lambda _: True, time.time(), ids))
        click.echo("maildrop is not running: they are tried when it starts", err=True)
    click.echo(f"{due} entries are due")


@queue.command()
@_chosen
@_all
@click.pass_obj
def hold(setting: Setting, /, **chosen: Any) -> None:  # noqa: ANN401
    """Keep entries from being tried, until they are released."""
    _each(setting, "held", handling.hold, **chosen)


@queue.command()
@_chosen
@_all
@click.pass_obj
def release(setting: Setting, /, **chosen: Any) -> None:  # noqa: ANN401
    """Have entries that were held tried again."""
    now = time.time()
    _each(setting, "released", lambda at, one: handling.release(at, one, now), **chosen)


@queue.command()
@_chosen
@_all
@click.pass_obj
def delete(setting: Setting, /, **chosen: Any) -> None:  # noqa: ANN401
    """Remove entries; nobody is told."""
    _each(setting, "deleted", handling.delete, **chosen)


@queue.command()
@_chosen
@_all
@click.pass_obj
def bounce(setting: Setting, /, **chosen: Any) -> None:  # noqa: ANN401
    """Give entries back to their senders, now."""
    now = time.time()
    _each(
        setting,
        "given back",
        lambda at, one: handling.give_back(at, one, now),
        **chosen,
    )


def _each(
    setting: Setting,
    done: str,
    job: Callable[[Spool, str], None],
    *,
    ids: Sequence[str],
    sender: str | None,
    recipient: str | None,
    everything: bool,
) -> None:
    """Do something to each entry that is meant."""
    if not (ids or sender or recipient or everything):
        raise Failed(EX_USAGE, "which? Give ids, --sender, --recipient or --all")
    spool = _spool(setting.reading().configuration)
    if sender or recipient or not ids:
        ids = [entry.id for entry in _entries(spool, ids, sender, recipient)]
    worst = 0
    for entry_id in ids:
        try:
            job(spool, entry_id)
        except Busy as error:
            click.echo(str(error), err=True)
            worst = worst or EX_TEMPFAIL
        except Gone as error:
            click.echo(str(error), err=True)
            worst = EX_DATAERR
        else:
            click.echo(f"{entry_id} {done}")
    if worst:
        raise Failed(worst, "not all of it could be done")


# -- what is there


def _spool(configuration: Configuration) -> Spool:
    where = os.path.join(configuration.state, "queue")
    if not os.path.isdir(f"{where}/entries"):
        raise Failed(EX_UNAVAILABLE, f"{where}: there is no queue; was maildrop run?")
    return Spool(where, Disk(), time.time, configuration.state)


def _entries(
    spool: Spool, ids: Sequence[str], sender: str | None, recipient: str | None
) -> Iterator[Entry]:
    """Those that are meant, the oldest first; what cannot be read is told of."""
    for entry_id in sorted(ids or (each.id for each in spool.list())):
        try:
            entry = _look(spool, entry_id)
        except Failed as failed:
            if ids:
                raise
            click.echo(failed.message, err=True)
            continue
        if sender and sender.lower() not in entry.sender.lower():
            continue
        if recipient and not any(
            recipient.lower() in each.address.lower() for each in entry.waiting()
        ):
            continue
        yield entry


def _look(spool: Spool, entry_id: str) -> Entry:
    try:
        entry = spool.look(entry_id)
    except (Damaged, FromLater) as error:
        raise Failed(EX_DATAERR, f"{entry_id}: {error}") from error
    if entry is None:
        raise Failed(EX_DATAERR, f"{entry_id} is not in the queue")
    return entry


def _row(entry: Entry, now: float) -> list[object]:
    waiting = entry.waiting()
    shown = ", ".join(each.address for each in waiting[:_SHOWN])
    if len(waiting) > _SHOWN:
        shown += f" and {len(waiting) - _SHOWN} more"
    reasons = [each.status.text for each in waiting if each.status is not None]
    return [
        entry.id,
        _state(entry, now),
        entry.size,
        _moment(entry.arrived),
        _moment(entry.next),
        f"<{entry.sender}>",
        shown,
        " ".join(reasons[0].split()) if reasons else "",
    ]


def _state(entry: Entry, now: float) -> str:
    if entry.held:
        return "held"
    return "due" if entry.next <= now else "waits"


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")

"""``maildrop status``: whether maildrop runs, and how it does."""

import datetime
import json

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import Setting, as_json as json_option, listing


@click.command()
@json_option
@click.pass_obj
def status(setting: Setting, as_json: bool) -> None:
    """Tell whether maildrop runs (exit status 69 if not), and how it does."""
    found = ask(setting, "status")
    found.pop("ok")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    uptime = datetime.timedelta(seconds=int(found["uptime"]))
    memory = sum(process["memory"] for process in found["processes"])
    click.echo(f"maildrop {found['version']}, pid {found['pid']}, up {uptime}")
    click.echo(f"processes {len(found['processes'])}, memory {memory >> 20} MiB")
    for name, count in sorted(found["counters"].items()):
        click.echo(f"{name} {count}")
    click.echo()
    listing(
        ("service", "endpoint", "tls"),
        [
            (each["protocol"], each["endpoint"], each["tls"])
            for each in found["services"]
        ],
        as_json=False,
    )
    click.echo()
    names = dict.fromkeys(each["protocol"] for each in found["services"])
    sessions, begun = found["sessions"], found["begun"]
    listing(
        ("service", "sessions", "begun"),
        [(name, sessions.get(name, 0), begun.get(name, 0)) for name in names],
        as_json=False,
    )

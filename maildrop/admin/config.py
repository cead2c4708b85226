"""``maildrop config``: check, show and explain the configuration."""

import dataclasses
import json
import os

import click
from twisted.internet.task import Clock

from maildrop.admin.outcome import (
    EX_CONFIG,
    EX_DATAERR,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.config import Problem, Reading
from maildrop.app.directory import open_users
from maildrop.app.kinds import nearest
from maildrop.app.reference import explain as explained, toml
from maildrop.app.schema import ARRAYS, KEYS, SECTIONS
from maildrop.app.surroundings import look
from maildrop.delivery.address import split_detail
from maildrop.delivery.aliases import Aliases
from maildrop.delivery.virtual import Virtual


@click.group()
def config() -> None:
    """Check, show and explain the configuration."""


@config.command()
@json_option
@click.pass_obj
def check(setting: Setting, as_json: bool) -> None:
    """List everything that is wrong with the configuration (exit status 78)."""
    reading = setting.whatever()
    look(reading, os.geteuid())
    if not reading.fatal:
        _look_into_files(reading)
    if as_json:
        columns = (
            [field.name for field in dataclasses.fields(reading.problems[0])]
            if (reading.problems)
            else []
        )
        rows = [
            [getattr(problem, column) for column in columns]
            for problem in reading.problems
        ]
        listing(columns, rows, as_json=True)
    else:
        for problem in reading.problems:
            click.echo(str(problem))
    if reading.fatal:
        count = sum(problem.fatal for problem in reading.problems)
        errors = "1 error" if count == 1 else f"{count} errors"
        raise Failed(EX_CONFIG, f"{reading.file}: {errors}")
    if not as_json:
        click.echo(f"{reading.file}: good")


def _look_into_files(reading: Reading) -> None:
    """Add what is wrong in the files of users and aliases; it stops nobody."""
    configuration, clock = reading.configuration, Clock()
    users = open_users(configuration, clock)
    separators = configuration.mail.separator
    found = [
        *users.problems(),
        *Virtual(configuration.delivery.virtual, clock).problems(),
        *Aliases(configuration.delivery.aliases, clock).problems(
            lambda name: users.lookup(split_detail(name, separators)[0]) is not None
        ),
    ]
    for text in found:
        place, _, what = text.partition(": ")
        file, _, line = place.rpartition(":")
        number = int(line) if line.isdigit() else 0
        reading.problems.append(Problem(file or place, number, "", what, fatal=False))


@config.command()
@json_option
@click.pass_obj
def show(setting: Setting, as_json: bool) -> None:
    """Print the whole configuration in use, defaults filled in."""
    reading = setting.reading()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(reading.configuration), indent=2))
        return
    click.echo("\n".join(_shown(reading)))


def _shown(reading: Reading) -> list[str]:
    whole = dataclasses.asdict(reading.configuration)
    lines = [f"# {reading.file}"]
    for section in SECTIONS:
        tables = [whole]
        for name in section:
            tables = [found for table in tables for found in _list(table[name])]
        for table in tables:
            name = ".".join(section)
            if section:
                lines += ["", f"[[{name}]]" if section in ARRAYS else f"[{name}]"]
            lines += [
                f"{key.name} = {toml(table[key.name])}"
                for key in KEYS.values()
                if key.section == section
            ]
    return lines


def _list(value: object) -> list[dict[str, object]]:
    return list(value) if isinstance(value, tuple | list) else [dict(value)]  # type: ignore[call-overload]


@config.command()
@click.argument("key", required=False)
def explain(key: str | None) -> None:
    """Say what KEY means, such as mail.location; without KEY, list all keys."""
    if key is None:
        for each in KEYS.values():
            click.echo(".".join(each.path))
        return
    wanted = tuple(key.replace("[", ".").replace("]", "").split("."))
    wanted = tuple(part for part in wanted if part and not part.isdigit())
    found = [each for path, each in KEYS.items() if wanted in {path, path[-1:]}]
    found += [each for path, each in KEYS.items() if path[:-1] == wanted]
    if not found:
        proposal = nearest(key, [".".join(path) for path in KEYS])
        close = (
            proposal if proposal.startswith("did") else "see maildrop config explain"
        )
        raise Failed(EX_DATAERR, f'there is no key "{key}"; {close}')
    click.echo("\n\n".join(explained(each) for each in found))

"""``maildrop why``: what became of a message or a login, and why."""

import json
from collections.abc import Iterable, Sequence

import click

from maildrop.admin.outcome import EX_DATAERR, Failed, Setting, as_json as json_option
from maildrop.app.noting import directory
from maildrop.decisions.finding import Decision, Story, find, stories
from maildrop.decisions.telling import moment, shown, text
from maildrop.durable import translate


@click.command()
@click.argument("key")
@click.option(
    "-n",
    "--most",
    default=10,
    type=click.IntRange(1, 10_000),
    help="At most so many stories or lines (10).",
)
@click.option(
    "--lines", is_flag=True, help="Single decisions, the newest first; no stories."
)
@json_option
@click.pass_obj
def why(setting: Setting, key: str, most: int, lines: bool, as_json: bool) -> None:
    """Tell what became of KEY, and why.

    KEY is the id of a message or session (it stands in the log, the Received field and
    the answer), a Message-ID, an address of a sender or recipient, the name of a user,
    or the IP address of a client. Messages and sessions come the newest first, what
    happened to each in order.
    """
    where = directory(setting.reading().configuration)
    try:
        if lines:
            found = find(where, key, most)
            _print_lines(found, as_json=as_json)
        else:
            told = stories(where, key, most)
            _print_stories(told, as_json=as_json)
            found = [each for story in told for each in story.decisions]
    except BrokenPipeError:  # who reads has enough
        raise
    except OSError as error:
        raise translate(error, f"read {where}") from error
    if not found:
        raise Failed(EX_DATAERR, f"nothing is known of {shown(key)}")


def _print_stories(told: Sequence[Story], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"id": story.id, "decisions": [_row(each) for each in story.decisions]}
            for story in told
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for number, story in enumerate(told):
        if number:
            click.echo()
        click.echo(f"{shown(story.id)}:")
        for each in story.decisions:
            of = "" if each.id == story.id else f"({shown(each.id)}) "
            _print(f"  {moment(each.at)} {of}", text(each))


def _print_lines(found: Iterable[Decision], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_row(each) for each in found], indent=2))
        return
    for each in found:
        _print(f"{moment(each.at)} {shown(each.id)}: ", text(each))


def _print(before: str, lines: Sequence[str]) -> None:
    first, *steps = lines
    click.echo(before + first)
    for step in steps:
        click.echo(f"      because {step}")


def _row(decision: Decision) -> dict[str, object]:
    facts = {name: fact for name, fact in decision.facts.items() if name != "~"}
    return {
        "time": moment(decision.at),
        "id": decision.id,
        "kind": decision.kind,
        **facts,
    }

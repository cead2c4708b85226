"""``maildrop explain``: what would become of a message, and why; nothing is done."""

import dataclasses
import json
import os
import sys

import click

from maildrop.admin.outcome import EX_USAGE, Failed, Setting, as_json as json_option
from maildrop.app.alone import at_once
from maildrop.app.explaining import Explanation, open_explainer
from maildrop.app.privileges import rights
from maildrop.decisions.telling import shown
from maildrop.delivery.actions import Reason
from maildrop.durable import Content
from maildrop.errors import ProtocolSyntaxError
from maildrop.queue.entry import Waiting
from maildrop.sendmail.letter import Letter
from maildrop.smtp.wire.path import Path, path_of


@click.command()
@click.argument("recipient")
@click.option("--from", "sender", default="", help="The sender; none is <>.")
@click.option("--size", default=0, help="The size that the client announces.")
@click.option(
    "--submission", is_flag=True, help="The client has logged in; it may send anywhere."
)
@json_option
@click.pass_obj
def explain(
    setting: Setting,
    recipient: str,
    sender: str,
    size: int,
    submission: bool,
    as_json: bool,
) -> None:
    """Tell what would become of a message for RECIPIENT, and why; do nothing.

    The message is read from standard input, unless that is a terminal. It takes the
    way of one that comes by SMTP, through the same code: aliases, users' files, quota
    and folder; what would leave, and by which server. Commands are not run, files not
    written, other servers not asked.
    """
    configuration = setting.reading().configuration
    path, reverse = _path(recipient), _path(sender) if sender.strip("<>") else None
    given = b"" if os.isatty(0) else sys.stdin.buffer.read()
    content = Content.of(bytes(Letter.read(given)) if given else b"\r\n")
    explainer = open_explainer(configuration, rights(configuration.user, os.geteuid()))
    found = at_once(
        explainer.explain(path, reverse, content, octets=size, outward=submission)
    )
    if as_json:
        click.echo(json.dumps(_record(found), indent=2))
    else:
        _print(found)


def _path(text: str) -> Path:
    try:
        return path_of(text.strip("<>"))
    except ProtocolSyntaxError as error:
        raise Failed(EX_USAGE, f"{shown(text)} is no address: {error}") from error


def _print(found: Explanation) -> None:
    click.echo(f"{shown(found.recipient)}: {found.answer}")
    for step in found.steps:
        click.echo(f"  {shown(step.does)}")
        for reason in step.why:
            click.echo(f"      because {shown(reason)}")
    if found.taken:
        click.echo(f"the message: {found.taken}")
    for copy in found.stored:
        click.echo(f"  stored: {shown(copy.user)} {shown(copy.folder)}")
    for waiting, way in zip(found.waiting, found.ways, strict=True):
        click.echo(f"  queued: {shown(_what(waiting))}: {shown(way)}")
    for note in found.notes:
        click.echo(f"  {shown(note)}")


def _what(waiting: Waiting) -> str:
    """Whom or what a recipient of the queue stands for."""
    if not waiting.order:
        return f"<{waiting.address}>"
    order = json.loads(waiting.order)
    what = order.get("folder") or order.get("file") or f"|{order.get('command')}"
    return f"{order['account']}: {what}"


def _record(found: Explanation) -> dict[str, object]:
    return {
        "recipient": found.recipient,
        "answer": found.answer,
        "steps": [
            {"does": step.does, "why": [_reason(each) for each in step.why]}
            for step in found.steps
        ],
        "taken": found.taken,
        "stored": [dataclasses.asdict(each) for each in found.stored],
        "queued": [
            {
                "address": each.address,
                "relay": each.relay,
                "destination": each.destination,
                "what": _what(each),
                "sender": each.sender,
                "state": each.kind.value,
                "way": way,
            }
            for each, way in zip(found.waiting, found.ways, strict=True)
        ],
        "notes": found.notes,
    }


def _reason(reason: Reason) -> dict[str, object]:
    value = dataclasses.asdict(reason)
    return {name: each for name, each in value.items() if each not in ("", 0)}

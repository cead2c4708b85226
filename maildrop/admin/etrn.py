"""``maildrop etrn``: ask another server to send what waits there for us.

Exit status: 0 if it has begun, or has nothing; 75 if it cannot now, or cannot be
reached; 69 if it never will.
"""

import os
from collections.abc import Sequence
from typing import Final

import click

from maildrop.admin.outcome import (
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.privileges import rights
from maildrop.app.turning import ask_for_mail
from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.client.hosts import Unroutable
from maildrop.smtp.wire.etrn import Etrn, etrn as parse
from maildrop.smtp.wire.verdict import Answer, Broken, Verdict

_STATUS: Final = {Answer.LATER: EX_TEMPFAIL, Answer.NEVER: EX_UNAVAILABLE}


@click.command()
@click.argument("server")
@click.argument("domains", metavar="[DOMAIN]...", nargs=-1)
@json_option
@click.pass_obj
def etrn(setting: Setting, server: str, domains: Sequence[str], as_json: bool) -> None:
    """Ask SERVER to send what waits there for DOMAINs (ETRN, RFC 1985).

    An @ before a domain means all below it too. Without one all of mail.domains are
    asked for. TLS and login are those with which mail goes to that server ([relay],
    [[route]]).
    """
    configuration = setting.reading().configuration
    wanted = [_domain(each) for each in domains or configuration.mail.domains]
    owners = rights(configuration.user, os.geteuid())
    try:
        said = ask_for_mail(configuration, owners, server, wanted)
    except (Unroutable, Broken) as error:
        found = error.verdict
        raise Failed(_STATUS[found.answer], f"{server}: {found.text}") from error
    rows = [
        (each.domain, verdict.answer is Answer.TAKEN, verdict.text)
        for each, verdict in zip(wanted, said, strict=True)
    ]
    listing(("domain", "done", "answer"), rows, as_json=as_json)
    worst = _worst(said)
    if worst:
        raise Failed(worst, f"{server} does not do all of it")


def _domain(text: str) -> Etrn:
    try:
        return parse(text.encode())
    except ProtocolSyntaxError as error:
        raise Failed(EX_USAGE, f'"{text}" is no domain') from error


def _worst(said: Sequence[Verdict]) -> int:
    found = {_STATUS.get(each.answer, 0) for each in said}
    return EX_TEMPFAIL if EX_TEMPFAIL in found else max(found)

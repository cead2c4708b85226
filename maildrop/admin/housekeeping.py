"""``maildrop housekeeping``: remove what is old, now."""

import dataclasses
import time

import click

from maildrop.admin.each_user import each_user
from maildrop.admin.outcome import (
    EX_TEMPFAIL,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.direct import Direct
from maildrop.app.housekeeper import rules
from maildrop.errors import MaildropError
from maildrop.mailbox.housekeeping import Done, Rules, keep_house
from maildrop.mailbox.keeping import Keeping

_COLUMNS = ("user", "expired", "given up", "octets freed", "leftovers")


@click.command()
@click.argument("user", required=False)
@click.option(
    "--forget-kept",
    is_flag=True,
    help="Give up all expunged messages, however new: the disk is full.",
)
@json_option
@click.pass_obj
def housekeeping(
    setting: Setting, user: str | None, forget_kept: bool, as_json: bool
) -> None:
    """Expunge what expired, give up what was kept for long enough, and tidy up.

    For USER, or for every user.
    """
    configuration = setting.reading().configuration
    direct = Direct(configuration)
    wanted = rules(configuration)
    if forget_kept:
        wanted = dataclasses.replace(wanted, keeping=Keeping())
    rows: list[list[object]] = []
    failed = 0
    for name in each_user(direct, user):
        done = _done(direct, name, wanted)
        for reason in done.failed:
            failed += 1
            click.echo(f"maildrop: {name}: {reason}", err=True)
        freed = done.freed
        rows.append([name, done.expired, freed.messages, freed.octets, done.tidied])
    listing(_COLUMNS, rows, as_json=as_json)
    if failed:
        raise Failed(EX_TEMPFAIL, f"{failed} things could not be done")


def _done(direct: Direct, name: str, wanted: Rules) -> Done:
    try:
        with direct.store(direct.account(name)) as store:
            return keep_house(store, wanted, time.time())
    except MaildropError as error:
        return Done(failed=[str(error)])

"""``maildrop export``: a user's mailboxes as mbox files or as a Maildir.

Exit status: 0 when all of it is written; else 65, or 75 where it may help to try again.
To run it again goes on where it stopped, and adds what came since.
"""

import os
from typing import Final

import click

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOUSER,
    EX_OK,
    EX_TEMPFAIL,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.admin.progress import counting
from maildrop.app import exchange
from maildrop.app.direct import Direct
from maildrop.errors import NoSuchUser, TemporaryError
from maildrop.migration.exporting import Exported, Exporter

_COLUMNS: Final = ("mailbox", "written", "before", "problem")


@click.command()
@click.argument("user")
@click.argument("target", type=click.Path())
@click.option(
    "--mailbox",
    "mailboxes",
    multiple=True,
    metavar="NAME",
    help="Only this mailbox; may be given several times. One alone is TARGET itself.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["mbox", "maildir"]),
    default="mbox",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Write even where something is that no export wrote: an mbox is replaced, a "
    "Maildir added to.",
)
@json_option
@click.pass_obj
def export(
    setting: Setting,
    user: str,
    target: str,
    mailboxes: tuple[str, ...],
    form: str,
    force: bool,
    as_json: bool,
) -> int:
    """Export the mailboxes of USER to TARGET.

    All of them become a Maildir with folders, or a directory of mbox files.
    """
    configuration = setting.reading().configuration
    direct = Direct(configuration)
    try:
        account = direct.account(user)
    except NoSuchUser as error:
        raise Failed(EX_NOUSER, str(error)) from error
    single = len(mailboxes) == 1 and (form == "maildir" or not os.path.isdir(target))
    place = exchange.target(target, form, user, single=single, force=force)
    notes = exchange.notes(configuration, direct, place.identity, user, force=force)
    rows: list[list[object]] = []
    status = EX_OK
    reach = direct.rights.as_root
    with counting() as progress, direct.store(account) as store:
        exporter = Exporter(store, place, notes, reach, progress)
        for exported in exporter.run(mailboxes):
            problem = "" if exported.error is None else str(exported.error)
            rows.append([exported.mailbox, exported.written, exported.before, problem])
            status = status or _status(exported)
    listing(_COLUMNS, rows, as_json=as_json)
    return status


def _status(exported: Exported) -> int:
    if exported.error is None:
        return EX_OK
    return EX_TEMPFAIL if isinstance(exported.error, TemporaryError) else EX_DATAERR

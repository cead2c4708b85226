"""``maildrop quota``: how much mail users have, and may have."""

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
from maildrop.errors import MaildropError
from maildrop.mailbox.quota import Quota

_COLUMNS = ("user", "octets", "octets limit", "messages", "messages limit", "percent")


@click.command()
@click.argument("user", required=False)
@click.option(
    "--recount",
    is_flag=True,
    help="Look what other programs did, and take nothing on trust that was counted.",
)
@json_option
@click.pass_obj
def quota(setting: Setting, user: str | None, recount: bool, as_json: bool) -> None:
    """Show how much mail USER has, or every user."""
    direct = Direct(setting.reading().configuration)
    rows: list[list[object]] = []
    failed = 0
    for name in each_user(direct, user):
        try:
            rows.append(_row(direct, name, recount=recount))
        except MaildropError as error:
            failed += 1
            click.echo(f"maildrop: {name}: {error}", err=True)
    listing(_COLUMNS, rows, as_json=as_json)
    if failed:
        raise Failed(EX_TEMPFAIL, f"{failed} users could not be looked at")


def _row(direct: Direct, name: str, *, recount: bool) -> list[object]:
    account = direct.account(name)
    limit = account.quota or Quota()
    with direct.store(account) as store:
        used = store.usage(recount=recount)
    return [
        account.name,
        used.octets,
        limit.octets or None,
        used.messages,
        limit.messages or None,
        limit.percent(used) if limit else None,
    ]

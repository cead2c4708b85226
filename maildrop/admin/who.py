"""``maildrop who``: the sessions there are."""

import datetime

import click

from maildrop.admin.asking import ask
from maildrop.admin.outcome import Setting, as_json as json_option, listing

_COLUMNS = (
    "session",
    "service",
    "user",
    "client",
    "tls",
    "since",
    "mailbox",
    "octets_in",
    "octets_out",
)


@click.command()
@click.option("--user", default="", help="Only this user's.")
@click.option("--service", default="", help="Only this protocol's.")
@click.option("--address", default="", help="Only those from this address.")
@click.option("--limit", default=1000, help="At most so many, the oldest first.")
@json_option
@click.pass_obj
def who(
    setting: Setting, user: str, service: str, address: str, limit: int, as_json: bool
) -> None:
    """List the sessions: user, protocol, client, since when, mailbox, octets."""
    found = ask(
        setting, "who", user=user, service=service, address=address, limit=limit
    )
    rows = [
        (
            each["session"],
            each["service"],
            each["user"],
            _client(each["address"], each["port"]),
            each["tls"],
            _moment(each["since"]),
            each["mailbox"],
            each["octets_in"],
            each["octets_out"],
        )
        for each in found["sessions"]
    ]
    listing(_COLUMNS, rows, as_json=as_json)
    if found["more"]:
        click.echo(f"and {found['more']} more", err=True)


def _client(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

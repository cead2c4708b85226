"""``maildrop undelete``: bring back what a user expunged.

Exit status: 0, also when there was nothing to bring back; 65 for a time that cannot be
read, 67 for a user that does not exist.
"""

import datetime
import re
import time
from collections.abc import Iterator, Sequence
from typing import Final

import click

from maildrop.admin.each_user import each_user
from maildrop.admin.outcome import (
    EX_DATAERR,
    Failed,
    Setting,
    as_json as json_option,
    listing,
)
from maildrop.app.direct import Direct
from maildrop.mailbox.interfaces import Store
from maildrop.mailbox.keeping import Kept
from maildrop.message.header import collect, header_end, scan, unfolded
from maildrop.text.words import decode_words

_AGO: Final = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_FIELDS: Final = (b"from", b"subject", b"message-id")
_KEPT: Final = ("expunged", "mailbox", "uid", "size", "from", "subject", "message id")
_BACK: Final = ("mailbox", "uid", "uid before", "expunged", "size")


@click.command()
@click.argument("user")
@click.option(
    "--since",
    metavar="TIME",
    help="Only what was expunged since then: 2h, 3d, or 2026-11-22, or "
    "2026-11-22T14:30.",
)
@click.option("--mailbox", multiple=True, help="Only what was in this mailbox.")
@click.option("--message-id", multiple=True, help="Only the message with this id.")
@click.option("--list", "only_list", is_flag=True, help="Only show what is there.")
@json_option
@click.pass_obj
def undelete(
    setting: Setting,
    user: str,
    since: str | None,
    mailbox: Sequence[str],
    message_id: Sequence[str],
    only_list: bool,
    as_json: bool,
) -> None:
    """Bring back messages that USER expunged, with their flags and mailbox.

    They get new UIDs.  A mailbox that was deleted is made again.
    """
    after = _moment(since, time.time()) if since is not None else None
    direct = Direct(setting.reading().configuration)
    [name] = each_user(direct, user)
    with direct.store(direct.account(name)) as store:
        found = [
            kept
            for kept in store.kept()
            if (after is None or kept.expunged >= after)
            and (not mailbox or _named(kept.mailbox, mailbox))
        ]
        if message_id:
            ids = {text.strip().strip("<>") for text in message_id}
            found = [kept for kept in found if _said(store, kept)[2].strip("<>") in ids]
        if only_list:
            listing(_KEPT, list(_rows(store, found)), as_json=as_json)
            return
        rows = [
            [
                back.mailbox,
                back.uid,
                back.kept.uid,
                _shown(back.kept.expunged),
                back.kept.size,
            ]
            for back in store.restore(found)
        ]
    listing(_BACK, rows, as_json=as_json)


def _named(name: str, wanted: Sequence[str]) -> bool:
    return name in wanted or (name == "INBOX" and "INBOX" in map(str.upper, wanted))


def _moment(text: str, now: float) -> float:
    """What ``--since`` says, in seconds since 1970 UTC.

    Raises:
        Failed: It says nothing.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        reason = f'"{text}" is no time; write 2h, 3d, 2026-11-22 or 2026-11-22T14:30'
        raise Failed(EX_DATAERR, reason) from None


def _shown(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")


def _rows(store: Store, found: Sequence[Kept]) -> Iterator[list[object]]:
    for kept in found:
        sender, subject, message_id = _said(store, kept)
        yield [
            _shown(kept.expunged),
            kept.mailbox,
            kept.uid,
            kept.size,
            sender,
            subject,
            message_id,
        ]


def _said(store: Store, kept: Kept) -> tuple[str, str, str]:
    """From, Subject and Message-ID."""
    octets = store.read_kept(kept) or b""
    fields = scan(octets, 0, header_end(octets, 0, len(octets))[0])
    values = collect(fields, _FIELDS)
    first = [values.get(name, [b""])[0] for name in _FIELDS]
    sender, subject, message_id = (decode_words(unfolded(value)) for value in first)
    return sender.strip(), subject.strip(), message_id.strip()

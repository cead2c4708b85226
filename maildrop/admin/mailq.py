"""``mailq`` and ``sendmail -q``: the queue, as programs expect it to be shown.

In this file:
    run       shows the queue, or has it tried now
    Shown     one message
    listing   the lines for some messages

``maildrop queue`` does more.  This is for people and programs that know ``mailq``: the
form is that of Postfix, which monitoring programs read.  A ``!`` behind an id stands
for a message that is held, ``+`` for one that waits for the server in the drop
directory.

Exit status: that of sysexits(3); 77 for those who may not see others' mail.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maildrop.app.config import load
from maildrop.app.schema import Configuration
from maildrop.control.client import NotAllowed, NotRunning, request
from maildrop.durable import Disk, open_to_read
from maildrop.errors import AccessDenied
from maildrop.queue.drop import COMPLETE, Unfit, parse, read
from maildrop.queue.entry import Damaged, FromLater
from maildrop.queue.spool import Spool
from maildrop.sendmail.options import Mode, Options
from maildrop.sendmail.setting import PLACE

_HEAD = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
#: Where addresses begin.
_INDENT = 41


@dataclass(frozen=True, slots=True)
class Shown:
    """One message.

    Attributes:
        id: Its id.
        mark: ``!``, ``+`` or a blank.
        size: Octets.
        arrived: Seconds since 1970 UTC.
        sender: The reverse path.
        recipients: Addresses, and why each still waits; empty if nobody knows.
    """

    id: str
    mark: str
    size: int
    arrived: float
    sender: str
    recipients: Sequence[tuple[str, str]]


def run(options: Options) -> int:
    """Show the queue, or have it tried now; gives the exit status."""
    configuration = load(options.file or PLACE).configuration
    if options.mode is Mode.FLUSH:
        return _flush(configuration, options.entry)
    try:
        shown = [*_waiting(configuration), *_dropped(configuration)]
    except (PermissionError, AccessDenied):
        sys.stderr.write("mailq: only root and the server's account see the queue\n")
        return os.EX_NOPERM
    sys.stdout.writelines(listing(shown))
    return os.EX_OK


def _flush(configuration: Configuration, entry: str) -> int:
    """Have the server try what waits."""
    asked = {"command": "flush", "ids": [entry] if entry else []}
    try:
        request(configuration.control_socket, asked)
    except NotAllowed:
        sys.stderr.write("sendmail: only root and the server's account may do that\n")
        return os.EX_NOPERM
    except NotRunning as error:
        sys.stderr.write(f"sendmail: {error}; what waits is tried when it starts\n")
        return os.EX_UNAVAILABLE
    return os.EX_OK


def _waiting(configuration: Configuration) -> Iterator[Shown]:
    """What is in the queue, the oldest first."""
    directory = os.path.join(configuration.state, "queue")
    spool = Spool(directory, Disk(), time.time, configuration.state)
    if not os.path.isdir(spool.entries):
        return
    for each in sorted(spool.list(), key=lambda each: each.id):
        try:
            entry = spool.look(each.id)
        except (Damaged, FromLater) as error:
            yield Shown(each.id, "!", 0, 0.0, "", [("", str(error))])
            continue
        if entry is None:
            continue
        recipients = [
            (one.address, one.status.text if one.status is not None else "")
            for one in entry.waiting()
        ]
        mark = "!" if entry.held else " "
        yield Shown(entry.id, mark, entry.size, entry.arrived, entry.sender, recipients)


def _dropped(configuration: Configuration) -> Iterator[Shown]:
    """What the server has not taken yet."""
    directory = os.path.join(configuration.state, "queue", "drop")
    if not os.path.isdir(directory):
        return
    for name in sorted(os.listdir(directory)):
        if not name.endswith(COMPLETE):
            continue
        try:
            fd = open_to_read(f"{directory}/{name}")
        except PermissionError:
            raise
        except OSError:
            continue
        try:
            octets, status = read(fd, configuration.limits.message)
            dropped, start = parse(octets)
        except Unfit:
            continue  # the server will say so
        finally:
            os.close(fd)
        sender = f"uid {status.st_uid}" if dropped.sender is None else dropped.sender
        recipients = [(address, "") for address in dropped.recipients]
        size = len(octets) - start
        yield Shown(name[:13], "+", size, status.st_ctime, sender, recipients)


def listing(shown: Sequence[Shown]) -> Iterator[str]:
    """The lines for some messages."""
    if not shown:
        yield "Mail queue is empty\n"
        return
    yield _HEAD
    for each in shown:
        when = time.strftime("%a %b %e %H:%M:%S", time.localtime(each.arrived))
        name = f"{each.id}{each.mark}"
        yield f"{name:<13}{each.size:>8} {when:<19} {each.sender or 'MAILER-DAEMON'}\n"
        for address, why in each.recipients:
            if why:
                yield f"{'':{_INDENT - 4}}({' '.join(why.split())})\n"
            yield f"{'':{_INDENT}}{address}\n"
        yield "\n"
    octets = sum(each.size for each in shown)
    plural = "s" * (len(shown) > 1)
    yield f"-- {octets // 1024} Kbytes in {len(shown)} Request{plural}.\n"

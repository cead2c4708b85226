"""``sendmail -bs``: SMTP on standard input and output."""

import os

from maildrop.app.dialogue import converse
from maildrop.durable import Disk
from maildrop.sendmail.handing_in import caller
from maildrop.sendmail.options import Options
from maildrop.sendmail.setting import load


def run(options: Options) -> int:
    """Speak until one side has enough; gives the exit status."""
    converse(
        load(options.file),
        caller(os.getuid(), os.environ),
        lambda most: os.read(0, most),
        _write,
        Disk(),
    )
    return os.EX_OK


def _write(octets: bytes) -> None:
    while octets:
        octets = octets[os.write(1, octets) :]

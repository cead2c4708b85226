"""How commands end and what they print: exit status, listings, the configuration used.

In this file:
    EX_OK ... EX_CONFIG     exit statuses of sysexits(3)
    Failed                  ends a command with a status and a line on standard error
    Setting                 what all commands share: the configuration
    listing                 prints rows: a table, plain lines, or JSON
    as_json                 the option ``--json``
"""

import json
import sys
from collections.abc import Sequence
from typing import Final

import click

from maildrop.app.config import Reading, find, load, read

EX_OK: Final = 0
EX_USAGE: Final = 64  # the command was used wrongly
EX_DATAERR: Final = 65  # what was given is not right
EX_NOUSER: Final = 67  # no such user
EX_UNAVAILABLE: Final = 69  # maildrop does not run, or does not answer
EX_SOFTWARE: Final = 70  # an error of maildrop itself
EX_CANTCREAT: Final = 73  # a file cannot be made
EX_TEMPFAIL: Final = 75  # try again later
EX_NOPERM: Final = 77  # not allowed
EX_CONFIG: Final = 78  # the configuration has errors


class Failed(click.ClickException):
    """A command cannot do what was asked.

    Args:
        status: Exit status.
        message: For standard error.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Setting:
    """What all commands share.

    Args:
        file: The configuration file named on the command line.
    """

    def __init__(self, file: str | None) -> None:
        self.file = file

    def reading(self) -> Reading:
        """The configuration; raises ``Unusable`` if it cannot be used."""
        return load(find(self.file))

    def whatever(self) -> Reading:
        """The configuration with its problems, whatever they are."""
        return read(find(self.file))


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def listing(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, as_json: bool
) -> None:
    """Print rows: JSON if asked for, a table on a terminal, else plain columns.

    Args:
        columns: Their names; with ``_`` for blanks in JSON.
        rows: The values.
        as_json: A JSON array of objects.
    """
    if as_json:
        names = [column.lower().replace(" ", "_") for column in columns]
        found = [dict(zip(names, row, strict=True)) for row in rows]
        click.echo(json.dumps(found, indent=2))
        return
    texts = [[_shown(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _table(columns, texts)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in [list(columns), *texts]:
        line = "  ".join(
            text.ljust(width) for text, width in zip(row, widths, strict=True)
        )
        click.echo(line.rstrip())


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows on a terminal, which alone needs the library."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    text = str(value)
    return text if text.isprintable() else ascii(text)[1:-1]

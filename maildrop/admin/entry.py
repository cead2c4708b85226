"""Entry point: ``maildrop``, and the names by which programs send mail.

In this file:
    main        the console script
    run         the same with arguments
    sendmail    what is done as ``sendmail``, ``mailq`` and ``newaliases``

Cron, scripts and mail programs call ``sendmail`` all the time and wait for it.  So only
what a mode needs is imported: for a message neither the command line's library nor the
schema of the configuration, nor Twisted, nor ``dataclasses``.

As ``sendmail`` no configuration is looked for in the working directory, which may be
anybody's.

Exit status: that of sysexits(3).
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from maildrop.durable import Disk
from maildrop.errors import (
    AccessDenied,
    ConfigurationError,
    LimitExceeded,
    MaildropError,
    StorageFailure,
    TemporaryError,
    of_system,
)
from maildrop.sendmail.handing_in import caller, hand_in
from maildrop.sendmail.letter import NoAddress
from maildrop.sendmail.options import CALLED, Misused, Mode, Options, parse
from maildrop.sendmail.setting import PLACE, load

#: Where each mode but ``MESSAGE`` is done: a module with a function ``run``.
_MODULES: Final = {
    Mode.DIALOGUE: "maildrop.admin.dialogue",
    Mode.LIST: "maildrop.admin.mailq",
    Mode.FLUSH: "maildrop.admin.mailq",
    Mode.ALIASES: "maildrop.admin.newaliases",
}
_STATUSES: Final = (
    (Misused, os.EX_USAGE),
    (NoAddress, os.EX_DATAERR),
    (LimitExceeded, os.EX_DATAERR),
    (ConfigurationError, os.EX_CONFIG),
    (AccessDenied, os.EX_CANTCREAT),
    (TemporaryError, os.EX_TEMPFAIL),
    (MaildropError, os.EX_UNAVAILABLE),
)


def main() -> None:
    """Entry point."""
    sys.exit(run(sys.argv))


def run(words: Sequence[str]) -> int:
    """Run a command; gives its exit status.

    Args:
        words: The name by which it was called, and the arguments.
    """
    called, rest = os.path.basename(words[0]), list(words[1:])
    if called in CALLED:
        return sendmail(called, rest)
    file, behind = _named_file(rest)
    if behind and behind[1:] != ["--help"]:
        if behind[0] in CALLED:
            return sendmail(behind[0], behind[1:], file)
        if behind[0] == "deliver":
            return _deliver(behind[1:], file)
    return int(import_module("maildrop.admin.main").run(rest))


def _deliver(arguments: Sequence[str], file: str | None) -> int:
    """As ``maildrop deliver``.

    Whatever goes wrong that nobody expected, the caller keeps the message: any other
    status would send it back.
    """
    try:
        return int(import_module("maildrop.app.mda").run(arguments, file))
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return os.EX_TEMPFAIL


def _named_file(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The configuration that is named before the command, and what follows."""
    if words and words[0].startswith("--config="):
        return words[0].removeprefix("--config="), words[1:]
    if len(words) > 1 and words[0] == "--config":
        return words[1], words[2:]
    return None, words


def sendmail(called: str, arguments: Sequence[str], file: str | None = None) -> int:
    """Do what sendmail would; gives the exit status.

    Args:
        called: One of its names.
        arguments: Its arguments.
        file: The configuration; None for the usual one.
    """
    try:
        options = parse(arguments, called)
        options.file = options.file or file or PLACE
        if options.mode is not Mode.MESSAGE:
            return int(import_module(_MODULES[options.mode]).run(options))
        return _message(options)
    except MaildropError as error:
        status = next(status for cls, status in _STATUSES if isinstance(error, cls))
        return _say(called, str(error), status)
    except OSError as error:
        return _say(called, of_system(error), os.EX_IOERR)
    except KeyboardInterrupt:
        return 130


def _message(options: Options) -> int:
    setting = load(options.file)
    who = caller(os.getuid(), os.environ)
    try:
        handed = hand_in(options, setting, who, sys.stdin.buffer, Disk())
    except StorageFailure as error:
        if setting.readable:
            raise
        unread = f"{setting.file} may not be read, so the usual place was taken"
        raise StorageFailure(f"{error}; {unread}") from error
    if options.verbose:
        recipients = handed.dropped.recipients
        whom = ", ".join(recipients[:10])
        more = len(recipients) - 10
        whom += f" and {more} more" if more > 0 else ""
        sys.stdout.write(f"handed in as {handed.id()} for {whom}\n")
    return os.EX_OK


def _say(called: str, text: str, status: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"{called}: {line}\n")
    return status

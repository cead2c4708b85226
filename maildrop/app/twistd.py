"""``twistd maildrop``: its options, and the service they make.

In this file:
    Options         what ``twistd maildrop --help`` lists
    makeService     called by twistd

Errors: told on standard error, a line each, before anything is started; the exit
status is 78 (EX_CONFIG of sysexits(3)), or 69 (EX_UNAVAILABLE) for a port in use.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from maildrop.app import trial
from maildrop.app.config import Problem, Reading, Unusable, find, read
from maildrop.app.logging import destination, observer
from maildrop.app.making import make
from maildrop.app.surroundings import look
from maildrop.errors import MaildropError
from maildrop.net.listeners import CannotListen

EX_UNAVAILABLE: Final = 69
EX_CONFIG: Final = 78


class Options(usage.Options):
    """Options of ``twistd maildrop``."""

    synopsis = "[--config FILE | --passwd FILE --imap PORT ...]"
    longdesc = (
        "Serves mail as the configuration file says: the one named, else "
        "conf/maildrop.toml, else /etc/maildrop/maildrop.toml. With --passwd no file "
        "is read and the ports named are opened on 127.0.0.1, for a trial."
    )
    optParameters = (
        ("config", "c", None, "The configuration file."),
        ("passwd", None, None, "Trial: the users, one name:password a line."),
        ("imap", None, None, "Trial: port for IMAP with STARTTLS."),
        ("imaps", None, None, "Trial: port for IMAP with implicit TLS."),
        ("pop3", None, None, "Trial: port for POP3 with STLS."),
        ("pop3s", None, None, "Trial: port for POP3 with implicit TLS."),
        ("smtp", None, None, "Trial: port for SMTP."),
        ("submission", None, None, "Trial: port for submission."),
        ("lmtp", None, None, "Trial: port for LMTP."),
        ("domain", None, None, "Trial: domains whose mail is ours, by commas."),
        ("location", None, None, "Trial: where mail lies; else maildir:~/Maildir."),
        (
            "state",
            None,
            None,
            "Trial: directory of certificate and indexes; else a temporary one.",
        ),
    )


def makeService(options: Options) -> IService:
    """The whole server; its ports are bound already.

    Raises:
        SystemExit: It cannot be made; why is on standard error.
    """
    from twisted.internet import reactor  # noqa: PLC0415 (twistd has chosen it by now)

    try:
        reading, temporary = _reading(options)
        look(reading, os.geteuid())
        if reading.fatal:
            raise Unusable(reading.problems)
        parent: Mapping[str, Any] = options.parent or {}
        path = destination(parent)
        log = reading.configuration.log
        lines = None if path is None else observer(path, log.format, log.level)
        return make(reading, reactor, observer=lines, temporary=temporary)
    except CannotListen as error:
        _give_up(error.problems, EX_UNAVAILABLE)
    except MaildropError as error:
        _give_up(str(error).splitlines(), EX_CONFIG)


def _reading(
    options: Options,
) -> tuple[Reading, tempfile.TemporaryDirectory[str] | None]:
    """The configuration, and the state directory if it goes away with us."""
    names = (*trial.TRIAL_PORTS, "domain", "location", "state")
    given = [name for name in names if options[name]]
    if options["config"] and (options["passwd"] or given):
        raise Unusable([_misused("--config and options of a trial exclude each other")])
    if given and not options["passwd"]:
        raise Unusable([_misused(f"--{given[0]} needs --passwd FILE")])
    if not options["passwd"]:
        return read(find(options["config"])), None
    if options["state"]:
        return trial.configuration(options, os.path.abspath(options["state"])), None
    temporary = tempfile.TemporaryDirectory(prefix="maildrop-")
    return trial.configuration(options, temporary.name), temporary


def _misused(what: str) -> Problem:
    return Problem("command line", 0, "", what)


def _give_up(lines: Sequence[str], status: int) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"maildrop: {line}\n")
    raise SystemExit(status)

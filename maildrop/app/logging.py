"""The log: one event, one line, for people or for programs.

In this file:
    LineObserver    an observer of ``twisted.logger`` that writes lines
    observer        one for a file
    destination     where twistd's options say the lines go

Formats:

    text    2026-01-02T03:04:05.678Z info imap login of ann from 192.0.2.1
    json    {"time": "...", "level": "info", "source": "imap", "event": "login of ann
            from 192.0.2.1", "user": "ann", "peer": "192.0.2.1"}

Security: what a client sent may stand in a field.  Control characters are escaped, so
that no event can pass for another; only fields that the event's format names are
written; a line is cut at ``LINE_MAX`` characters.
"""

import datetime
import functools
import json
import os
import re
import string
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    eventAsText,
    formatEvent,
)
from zope.interface import implementer

#: What stands for standard output where a file is named.
STANDARD_OUTPUT: Final = "-"
#: Characters of the longest line; tracebacks are the longest.
LINE_MAX: Final = 16_384
#: Twisted's own chatter (factories starting, connections refused) below this is left
#: out unless debugging.
_FOREIGN_LEAST: Final = LogLevel.warn
_LEVELS: Final[Mapping[str, Any]] = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warn": LogLevel.warn,
    "error": LogLevel.error,
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FIELD: Final = re.compile(r"[A-Za-z_]\w*")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as one line.

    Args:
        out: Where to.
        path: The file that ``out`` is, to be opened anew; "-" for none.

    Attributes:
        format: "text" or "json".
        level: The least level written: debug, info, warn or error.
        path: The file, "-" for none.
    """

    def __init__(
        self,
        out: TextIO,
        format: str = "text",  # noqa: A002
        level: str = "info",
        path: str = STANDARD_OUTPUT,
    ) -> None:
        self._out = out
        self.path = path
        self.format = format
        self.level = level
        self._second = -1
        self._date = ""

    def __call__(self, event: LogEvent) -> None:
        """Write an event, if it weighs enough."""
        level = event.get("log_level") or LogLevel.info
        least = _LEVELS[self.level]
        source = str(event.get("log_namespace") or "-")
        if not source.startswith("maildrop") and least is not LogLevel.debug:
            least = max(least, _FOREIGN_LEAST)
        if level < least:
            return
        line = self._line(event, level.name, _short(source))
        self._out.write(line[:LINE_MAX] + "\n")
        self._out.flush()

    def reopen(self) -> None:
        """Open the file anew, for it may have been put aside (logrotate)."""
        if self.path != STANDARD_OUTPUT:
            self._out.close()
            self._out = opened(self.path)

    def close(self) -> None:
        """Write no more."""
        if self.path != STANDARD_OUTPUT:
            self._out.close()

    def _line(self, event: LogEvent, level: str, source: str) -> str:
        time = self._time(float(event.get("log_time") or 0.0))
        if event.get("log_failure") is None:
            text = _text(event)
        else:
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if self.format == "json":
            record: dict[str, object] = {
                "time": time,
                "level": level,
                "source": source,
                "event": text,
            }
            record.update(
                (name, value)
                for name, value in _fields(event).items()
                if name not in record
            )
            return json.dumps(record, ensure_ascii=True)
        return f"{time} {level} {source} {_escaped(text.rstrip(chr(10)))}".rstrip()

    def _time(self, seconds: float) -> str:
        """A moment; its date is made once a second."""
        second, micros = divmod(round(seconds * 1_000_000), 1_000_000)
        if second != self._second:
            moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
            self._date = moment.strftime("%Y-%m-%dT%H:%M:%S.")
            self._second = second
        return f"{self._date}{micros // 1000:03}Z"


@functools.lru_cache(maxsize=512)
def _pieces(template: str) -> tuple[tuple[str, str], ...] | None:
    """A format as text and the field that follows it; None if it is no simple one."""
    pieces = []
    for text, name, form, conversion in string.Formatter().parse(template):
        if form or conversion or (name is not None and not _NAME.fullmatch(name)):
            return None
        pieces.append((text, name or ""))
    return tuple(pieces)


def _text(event: LogEvent) -> str:
    """What an event says: what Twisted makes of it, at a tenth of the price."""
    template = event.get("log_format")
    try:
        pieces = _pieces(template) if isinstance(template, str) else None
        if pieces is not None:
            return "".join(
                [f"{text}{event[name]}" if name else text for text, name in pieces]
            )
    except Exception:
        return formatEvent(event)  # which says what is wrong
    return formatEvent(event)


def _short(source: str) -> str:
    """``maildrop.imap.session.Session`` is of interest as ``imap``."""
    parts = source.split(".")
    return parts[1] if parts[0] == "maildrop" and len(parts) > 1 else parts[0]


def _fields(event: LogEvent) -> dict[str, object]:
    """The values that the event's format speaks of."""
    fields: dict[str, object] = {}
    template = event.get("log_format")
    if not isinstance(template, str):
        return fields
    for _, name, _, _ in string.Formatter().parse(template):
        found = _FIELD.match(name or "")
        if found and found[0] in event and not found[0].startswith("log_"):
            value = event[found[0]]
            plain = value is None or isinstance(value, str | int | float)
            fields[found[0]] = value if plain else str(value)
    return fields


def destination(options: Mapping[str, Any]) -> str | None:
    """Where twistd was told to write the log: a full path, or "-".

    Args:
        options: Options of twistd itself.

    Returns:
        None if twistd's own observer shall do it: syslog, or ``--logger``.
    """
    if options.get("syslog") or options.get("logger"):
        return None
    default = STANDARD_OUTPUT if options.get("nodaemon") else "twistd.log"
    name = options.get("logfile") or default
    return name if name == STANDARD_OUTPUT else os.path.abspath(name)


def opened(path: str) -> TextIO:
    """A log file, written at its end whoever else does; "-" is standard output."""
    if path == STANDARD_OUTPUT:
        return sys.stdout
    return open(path, "a", encoding="utf-8", errors="backslashreplace")


def observer(path: str, format: str, level: str) -> LineObserver:  # noqa: A002
    """The observer that writes to a file."""
    return LineObserver(opened(path), format, level, path)

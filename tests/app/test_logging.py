"""The log: one event, one line."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher, formatEvent

from maildrop.app.logging import LINE_MAX, LineObserver, destination, observer


def event(format_: str, **fields: object) -> LogEvent:
    return {
        "log_format": format_,
        "log_level": LogLevel.info,
        "log_namespace": "maildrop.imap.session.Session",
        "log_time": 1767312245.678,
        **fields,
    }


def written(one: LogEvent, format_: str = "text", level: str = "info") -> str:
    out = io.StringIO()
    LineObserver(out, format_, level)(one)
    return out.getvalue()


def test_text_has_time_level_source_and_event() -> None:
    line = written(event("login of {user}", user="ann"))
    assert line == "2026-01-02T00:04:05.678Z info imap login of ann\n"


@pytest.mark.parametrize(
    "format_", ["{a} and {{b}}", "{a!r}", "{a:>4}", "{c.real}", "{d()}", "", "{a}{c}"]
)
def test_an_event_says_what_twisted_makes_of_it(format_: str) -> None:
    one = event(format_, a="x", c=3, d=lambda: "called")
    assert written(one).rstrip().endswith(formatEvent(one))


@pytest.mark.parametrize("format_", ["{a", "{missing}", "{broken}", "{0}", "{}"])
def test_an_event_that_cannot_be_said_is_a_line_too(format_: str) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError("no words")

    line = written(event(format_, broken=Broken()))
    assert line.startswith("2026-01-02T00:04:05.678Z info imap ")
    assert line.count("\n") == 1


def test_times_go_on_from_second_to_second() -> None:
    out = io.StringIO()
    observer = LineObserver(out)
    for seconds in (1.9996, 1.9999999, 2.0, 1.0):
        observer({**event("x"), "log_time": seconds})
    assert [line[17:24] for line in out.getvalue().splitlines()] == [
        "01.999Z",
        "02.000Z",
        "02.000Z",
        "01.000Z",
    ]


def test_json_has_the_fields_that_the_event_speaks_of() -> None:
    line = written(event("login of {user}, {n}", user="ann", n=3, secret="x"), "json")
    assert json.loads(line) == {
        "time": "2026-01-02T00:04:05.678Z",
        "level": "info",
        "source": "imap",
        "event": "login of ann, 3",
        "user": "ann",
        "n": 3,
    }


def test_json_has_other_values_as_text() -> None:
    found = json.loads(written(event("{a!r} {b}", a=[1], b=None), "json"))
    assert (found["a"], found["b"]) == ("[1]", None)


def test_a_field_cannot_replace_what_every_line_has() -> None:
    found = json.loads(written(event("{time} {level}", time="x", level="y"), "json"))
    assert (found["level"], found["time"][:4]) == ("info", "2026")


@given(st.text(max_size=40))
@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_field_makes_a_second_line(format_: str, text: str) -> None:
    line = written(event("from {peer}", peer=text), format_)
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    line.encode("utf-8")


def test_control_characters_are_shown_escaped() -> None:
    line = written(event("x {a}", a="\r\n\x1b[1m\x00\u2028"))
    assert line.endswith(r"x \r\n\x1b[1m\x00\u2028" + "\n")


def test_a_traceback_is_one_line() -> None:
    out = io.StringIO()
    log = Logger("maildrop.imap", observer=LogPublisher(LineObserver(out)))
    try:
        raise ValueError("broken")
    except ValueError:
        log.failure("command failed")
    (line,) = out.getvalue().splitlines()
    assert "critical imap command failed" in line
    assert "ValueError: broken" in line


def test_a_line_is_cut_at_the_limit() -> None:
    line = written(event("{a}", a="x" * 2 * LINE_MAX))
    assert len(line) == LINE_MAX + 1


@pytest.mark.parametrize(
    ("level", "namespace", "least", "told"),
    [
        (LogLevel.debug, "maildrop.imap", "info", False),
        (LogLevel.debug, "maildrop.imap", "debug", True),
        (LogLevel.info, "maildrop.imap", "warn", False),
        (LogLevel.error, "maildrop.imap", "error", True),
        (LogLevel.info, "twisted.internet", "info", False),
        (LogLevel.warn, "twisted.internet", "info", True),
        (LogLevel.info, "twisted.internet", "debug", True),
        (LogLevel.critical, "twisted.internet", "error", True),
    ],
)
def test_what_weighs_too_little_is_not_told(
    level: object, namespace: str, least: str, told: bool
) -> None:
    one = event("x") | {"log_level": level, "log_namespace": namespace}
    assert bool(written(one, level=least)) is told


def test_an_event_without_anything_is_a_line() -> None:
    assert written({}, level="debug").endswith(" info -\n")


@pytest.mark.parametrize("option", ["syslog", "logger"])
def test_twistds_other_logs_are_left_to_twistd(option: str) -> None:
    assert destination({option: "x", "nodaemon": True}) is None


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"nodaemon": True}, "-"),
        ({"nodaemon": True, "logfile": "-"}, "-"),
        ({"logfile": "/var/log/x"}, "/var/log/x"),
        ({}, str(Path("twistd.log").absolute())),
    ],
)
def test_the_log_goes_where_twistd_is_told(
    options: dict[str, object], path: str
) -> None:
    assert destination(options) == path


def test_a_file_is_opened_anew_after_it_was_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = observer(str(path), "text", "info")
    lines(event("first"))
    path.rename(tmp_path / "log.1")
    lines.reopen()
    lines(event("second"))
    assert "first" in (tmp_path / "log.1").read_text()
    assert "second" in path.read_text()
    path.unlink()
    lines.reopen()
    lines.close()


def test_two_processes_write_to_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    one, other = observer(path, "text", "info"), observer(path, "text", "info")
    for each in (one, other, one, other):
        each(event("a line"))
    assert len((tmp_path / "log").read_text().splitlines()) == 4
    one.close()
    other.close()


def test_standard_output_is_not_opened_anew() -> None:
    out = io.StringIO()
    lines = LineObserver(out)
    lines.reopen()
    lines(event("still here"))
    assert "still here" in out.getvalue()

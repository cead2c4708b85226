"""How commands end and what they print."""

import json

import pytest

from maildrop.admin.outcome import listing


class Terminal:
    """Standard output that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""
        self.encoding = "utf-8"

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def isatty(self) -> bool:
        return True


ROWS = [("ann", 1, None), ("b\x1b[31mob", 20, ["x", "y"])]


def test_rows_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    listing(("name", "uid", "extra"), ROWS, as_json=False)
    assert capsys.readouterr().out == (
        "name         uid  extra\nann          1    -\nb\\x1b[31mob  20   x,y\n"
    )


def test_rows_are_objects_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    listing(("name", "octets in", "extra"), ROWS, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"name": "ann", "octets_in": 1, "extra": None},
        {"name": "b\x1b[31mob", "octets_in": 20, "extra": ["x", "y"]},
    ]


def test_no_rows_are_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    listing(("name",), [], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    listing(("name", "uid", "extra"), ROWS, as_json=False)
    assert "ann" in terminal.text
    assert "\x1b[31m" not in terminal.text


def test_a_terminal_shows_brackets_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    listing(("address",), [("[2001:db8::1]:993",)], as_json=False)
    assert "[2001:db8::1]:993" in terminal.text

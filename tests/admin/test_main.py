"""What stands before every subcommand."""

import pytest

from maildrop import __version__
from maildrop.admin.main import COMMANDS, maildrop as group, run
from tests.admin.conftest import Command, loaded, within


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"maildrop {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert name in capsys.readouterr().out


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    assert "..." not in out.partition("Commands:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_it_says_itself(name: str) -> None:
    with group.make_context("maildrop", ["--help"], resilient_parsing=True) as context:
        command = group.get_command(context, name)
    assert command is not None
    assert command.get_short_help_str(1000) == f"{COMMANDS[name]}."


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_no_command(maildrop: Command, arguments: list[str]) -> None:
    found = loaded(maildrop, *arguments, given=b"")
    assert "maildrop.admin.main" in found
    heavy = "twisted", "rich", "maildrop.storage", "maildrop.mailbox"
    assert within(found, heavy) == []


def test_a_word_is_completed_without_loading_a_command() -> None:
    with group.make_context("maildrop", [], resilient_parsing=True) as context:
        found = group.shell_complete(context, "exp")
    assert [(each.value, each.help) for each in found] == [
        ("explain", COMMANDS["explain"]),
        ("export", COMMANDS["export"]),
    ]


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["config", "nonsense"], ["user", "add"], ["--nonsense"]]
)
def test_what_is_used_wrongly_ends_with_64(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """EX_USAGE of sysexits(3)."""
    assert run(arguments) == 64
    err = capsys.readouterr().err
    assert "Usage: maildrop" in err
    assert "maildrop: " in err


def test_a_configuration_that_is_not_there_ends_with_78(maildrop: Command) -> None:
    """EX_CONFIG of sysexits(3)."""
    maildrop.config.unlink()
    outcome = maildrop("user", "list")
    assert outcome.status == 78
    assert outcome.err == (
        f"maildrop: {maildrop.config}: cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize("command", ["status", "who", "reload", "stop"])
def test_what_does_not_run_cannot_be_asked(maildrop: Command, command: str) -> None:
    """EX_UNAVAILABLE of sysexits(3)."""
    outcome = maildrop(command)
    assert outcome.status == 69
    assert "maildrop is not running" in outcome.err


def test_nobody_in_particular_cannot_be_kicked(maildrop: Command) -> None:
    assert maildrop("kick").status == 64


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(maildrop: Command, shell: str) -> None:
    outcome = maildrop("completion", shell)
    assert outcome.status == 0
    assert "_MAILDROP_COMPLETE" in outcome.out


def test_only_known_names_are_commands() -> None:
    assert group.commands == {}
    assert run(["outcome"]) == 64


def test_what_a_reload_cannot_take_up_is_told(
    maildrop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"ok": True, "restart": ["mail.separator", "listen"]}
    monkeypatch.setattr("maildrop.admin.asking.request", lambda *_: answer)
    outcome = maildrop("reload")
    assert outcome.status == 0
    assert outcome.out.splitlines() == [
        "mail.separator: the change needs a restart",
        "listen: the change needs a restart",
    ]

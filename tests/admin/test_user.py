"""``maildrop user``."""

import pytest

from maildrop.auth.passwords import verify
from tests.admin.conftest import Command

CHEAP = "--scheme=SSHA512"


def stored(maildrop: Command, name: str) -> str:
    """A user's password field."""
    for line in maildrop.passwd.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":")[1]
    raise AssertionError(f"no {name}")


def test_a_user_is_added_with_the_password_given(maildrop: Command) -> None:
    outcome = maildrop("user", "add", "ann", "--password-stdin", given=b"tulip\n")
    assert (outcome.status, outcome.err) == (0, "")
    assert stored(maildrop, "ann").startswith("{ARGON2ID}")
    assert verify(stored(maildrop, "ann"), "tulip")


def test_the_file_is_for_its_owner_alone(maildrop: Command) -> None:
    maildrop("user", "add", "ann", "--password-stdin", CHEAP, given=b"tulip\n")
    assert maildrop.passwd.stat().st_mode & 0o777 == 0o600


def test_the_schema_of_the_hash_can_be_configured(maildrop: Command) -> None:
    text = maildrop.config.read_text() + '[auth]\nscheme = "SHA512-CRYPT"\n'
    maildrop.config.write_text(text)
    maildrop("user", "add", "ann", "--password-stdin", given=b"tulip")
    assert stored(maildrop, "ann").startswith("{SHA512-CRYPT}")


def test_every_field_can_be_given(maildrop: Command) -> None:
    options = "--uid=0 --gid=0 --home=/h/%n --mail=mbox:~/in --quota=1G --allow=imap"
    outcome = maildrop(
        "user",
        "add",
        "ann@example.org",
        "--password-stdin",
        CHEAP,
        *options.split(),
        "--gecos=Ann Example",
        given=b"tulip\n",
    )
    assert outcome.status == 0, outcome.err
    (shown,) = maildrop("user", "show", "ann@example.org", "--json").json
    assert shown["home"] == "/h/ann"
    assert shown["location"] == "mbox:/h/ann/in"
    assert (shown["uid"], shown["gid"], shown["quota"]) == (0, 0, 1 << 30)
    assert (shown["allow"], shown["gecos"]) == (["imap"], "Ann Example")
    assert shown["scheme"] == "SSHA512"


def test_nothing_secret_is_shown(maildrop: Command) -> None:
    maildrop("user", "add", "ann", "--password-stdin", CHEAP, given=b"tulip\n")
    secret = stored(maildrop, "ann").partition("}")[2]
    for command in (["list"], ["list", "--json"], ["show", "ann"]):
        assert secret not in maildrop("user", *command).out


def test_a_home_is_made_when_asked_for(maildrop: Command) -> None:
    home = maildrop.directory / "homes/ann"
    maildrop(
        "user",
        "add",
        "ann",
        "--password-stdin",
        CHEAP,
        f"--home={home}",
        "--create-home",
        given=b"tulip\n",
    )
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_name_is_given_once(maildrop: Command) -> None:
    maildrop("user", "add", "ann", "--password-stdin", CHEAP, given=b"tulip\n")
    before = maildrop.passwd.read_bytes()
    again = maildrop("user", "add", "Ann", "--password-stdin", CHEAP, given=b"rose\n")
    assert again.status == 65
    assert again.err == "maildrop: user Ann is there already\n"
    assert maildrop.passwd.read_bytes() == before


@pytest.mark.parametrize("name", ["a/b", "a:b", "..", "a\nb", ""])
def test_a_name_that_nobody_may_have_is_refused(maildrop: Command, name: str) -> None:
    outcome = maildrop("user", "add", name, "--password-stdin", CHEAP, given=b"x\n")
    assert outcome.status == 65
    assert not maildrop.passwd.exists()


@pytest.mark.parametrize("given", [b"", b"\n", b"x" * 5000])
def test_a_password_that_is_none_is_refused(maildrop: Command, given: bytes) -> None:
    assert maildrop("user", "add", "ann", "--password-stdin", given=given).status == 65
    assert not maildrop.passwd.exists()


def test_an_unknown_scheme_is_refused(maildrop: Command) -> None:
    outcome = maildrop(
        "user", "add", "ann", "--password-stdin", "--scheme=ROT13", given=b"x\n"
    )
    assert outcome.status == 65
    assert "ROT13" in outcome.err


def test_a_user_that_cannot_be_used_is_told(maildrop: Command) -> None:
    outcome = maildrop(
        "user",
        "add",
        "ann",
        "--password-stdin",
        CHEAP,
        "--uid=no-such-account",
        given=b"x\n",
    )
    assert outcome.status == 65
    assert "passwd:1" in outcome.err


def test_a_password_is_changed(maildrop: Command) -> None:
    maildrop("user", "add", "ann", "--password-stdin", CHEAP, given=b"tulip\n")
    changed = maildrop(
        "user", "passwd", "ann", "--password-stdin", CHEAP, given=b"rose\n"
    )
    assert changed.status == 0
    assert verify(stored(maildrop, "ann"), "rose")


def test_a_user_is_disabled_and_enabled(maildrop: Command) -> None:
    maildrop("user", "add", "ann", "--password-stdin", CHEAP, given=b"tulip\n")
    before = maildrop.passwd.read_bytes()
    assert maildrop("user", "disable", "ann").status == 0
    assert maildrop("user", "list", "--json").json[0]["disabled"] is True
    assert maildrop("user", "enable", "ann").status == 0
    assert maildrop.passwd.read_bytes() == before


def test_a_user_is_removed_and_the_others_stay(maildrop: Command) -> None:
    maildrop.passwd.write_text("# ours\nann:{PLAIN}x\nbob:{PLAIN}y\n")
    assert maildrop("user", "remove", "ann").status == 0
    assert maildrop.passwd.read_text() == "# ours\nbob:{PLAIN}y\n"


@pytest.mark.parametrize(
    "command",
    [["passwd", "--password-stdin"], ["remove"], ["show"], ["disable"], ["enable"]],
)
def test_a_user_that_is_not_there_ends_with_67(
    maildrop: Command, command: list[str]
) -> None:
    """EX_NOUSER of sysexits(3)."""
    outcome = maildrop("user", *command, "nobody-here", given=b"x\n")
    assert outcome.status == 67
    assert outcome.err == "maildrop: there is no user nobody-here\n"


def test_users_are_listed_in_columns(maildrop: Command) -> None:
    maildrop.passwd.write_text("ann:{PLAIN}x\nbob:{PLAIN}y:1:2::/home/bob\n")
    lines = maildrop("user", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", "ann", "bob"]
    assert lines[2].split()[1:4] == ["1", "2", "/home/bob"]


def test_a_bad_line_is_told_and_hurts_no_other(maildrop: Command) -> None:
    maildrop.passwd.write_text("a/b:{PLAIN}x\nann:{PLAIN}x\n")
    outcome = maildrop("user", "list", "--json")
    assert [each["name"] for each in outcome.json] == ["ann"]
    assert f"{maildrop.passwd}:1" in outcome.err


def test_without_a_file_there_is_nobody(maildrop: Command) -> None:
    outcome = maildrop("user", "list", "--json")
    assert (outcome.status, outcome.json) == (0, [])

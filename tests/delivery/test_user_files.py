"""Users' own files: where mail goes that is routed over ``.forward``."""

import pytest
from twisted.logger import capturedLogs

from maildrop.delivery.actions import ToAddress, ToCommand, has_owner
from maildrop.errors import NoSuchUser
from tests.delivery.conftest import Host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@far.example\n", ["<ann@far.example>"]),
        ("\\bob, ann@far.example\n", ["bob", "<ann@far.example>"]),
        ("bob\n", ["bob"]),
        ("bob@example.org, carol\n", ["bob", "carol"]),
        ("BOB@B.EXAMPLE\n", ["bob"]),
        (
            "/home/bob/archive\n/home/bob/box/\n",
            ["/home/bob/archive", "/home/bob/box/"],
        ),
        ('"|exec /usr/bin/procmail"\n', ["|exec /usr/bin/procmail"]),
        ('|"/usr/bin/vacation bob"\n', ["|/usr/bin/vacation bob"]),
        ("# nothing\n\n", ["bob"]),
        ("", ["bob"]),
        ("/dev/null\n", ["nowhere"]),
        ("nobody, ann@far.example\n", ["<ann@far.example>", "bob"]),
        ("nobody\n", ["bob"]),
        (':fail: no\n"|x\nann@far.example\n', ["<ann@far.example>", "bob"]),
        ("team\n", ["bob", "carol"]),
    ],
)
def test_what_a_forward_file_means(host: Host, text: str, expected: list[str]) -> None:
    """local(8); what is wrong in it leaves a copy in the mailbox."""
    host.write("aliases", "team: bob, carol\n")
    host.forward("bob", text)
    assert host.shown("bob") == expected


def test_the_file_of_the_detail_comes_first(host: Host) -> None:
    host.forward("bob", "carol\n")
    host.forward("bob", "\\bob, |/bin/x\n", "+lists")
    assert host.shown("bob+lists") == ["bob/lists", "|/bin/x"]
    assert host.shown("bob+Lists") == ["bob/Lists", "|/bin/x"]
    assert host.shown("bob-lists") == ["carol"]
    assert host.shown("bob+a/../../x") == ["carol"]
    (_, command) = host.route("bob+lists").actions
    assert isinstance(command, ToCommand)
    assert (command.detail, command.user, command.rights.name) == (
        "lists",
        "bob",
        "bob",
    )


def test_users_who_forward_to_each_other_both_keep_a_copy(host: Host) -> None:
    host.forward("bob", "carol\n")
    host.forward("carol", "bob, alice\n")
    assert host.shown("bob") == ["bob", "alice"]
    assert host.shown("carol") == ["carol", "alice"]


def test_a_user_who_is_named_twice_is_forwarded_once(host: Host) -> None:
    host.write("aliases", "team: bob, bob+x, bob\n")
    host.forward("bob", "|/bin/x\n")
    assert host.shown("team") == ["|/bin/x"]


def test_a_forward_says_why(host: Host) -> None:
    file = host.forward("bob", "\n\\bob\n")
    (action,) = host.route("bob").actions
    assert [str(reason) for reason in action.why] == [
        "user: bob",
        f"forward: bob -> \\bob ({file}:2)",
        "user: bob",
    ]


def test_a_user_may_not_run_commands_of_others(host: Host) -> None:
    """A list of somebody else's is text, whatever it looks like."""
    host.allowed = frozenset({"forward", "include"})
    members = host.write("list", "carol, |/bin/x\n")
    host.forward("bob", f":include:{members}\n")
    assert host.shown("bob") == ["carol", "|/bin/x"]
    host.accounts["bob"] = host.accounts["bob"].__class__(
        "bob", host.accounts["bob"].home, "memory:", 12345
    )
    if members.stat().st_uid != 0:
        host.clock.advance(1)
        assert host.shown("bob") == ["bob"]


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_forward_file_that_others_may_write_is_left_aside(
    host: Host, mode: int
) -> None:
    host.forward("bob", "|/bin/x\n", mode=mode)
    with capturedLogs() as logs:
        assert host.shown("bob") == ["bob"]
    (event,) = [event for event in logs if "why" in event]
    assert "can be written by others" in event["why"]
    assert event["why"].endswith("/home/bob/.forward)")


def test_the_group_may_write_if_that_is_configured(host: Host) -> None:
    host.group = True
    host.forward("bob", "carol\n", mode=0o664)
    assert host.shown("bob") == ["carol"]


def test_a_changed_forward_is_seen_after_a_second(host: Host) -> None:
    assert host.shown("bob") == ["bob"]
    host.forward("bob", "carol\n")
    assert host.shown("bob") == ["bob"]
    host.clock.advance(1)
    assert host.shown("bob") == ["carol"]


def test_a_forward_gets_a_reverse_path_of_ours(host: Host) -> None:
    host.forward("bob", "ann@far.example, \\bob\n")
    (away, mailbox) = host.route("bob", sender="x@strange.example").actions
    assert away.sender is not None
    assert away.sender.local.startswith("SRS0=")
    assert not has_owner(away)
    assert mailbox.sender is None
    back = host.route(str(away.sender), sender="")
    assert [str(each.path) for each in back.actions if isinstance(each, ToAddress)] == [
        "x@strange.example"
    ]


@pytest.mark.parametrize("sender", ["", "carol@example.org"])
def test_a_reverse_path_that_is_ours_or_null_stays(host: Host, sender: str) -> None:
    host.forward("bob", "ann@far.example\n")
    (away,) = host.route("bob", sender=sender).actions
    assert away.sender is None


def test_a_forged_address_is_nobodys(host: Host) -> None:
    with pytest.raises(NoSuchUser):
        host.route("SRS0=abcdefgh=AA=far.example=x@example.org")

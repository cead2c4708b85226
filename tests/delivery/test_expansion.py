"""Expansion: what follows from an address, over aliases, lists and users' files."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from twisted.logger import LogLevel, capturedLogs

from maildrop.delivery.actions import ToAddress, ToCommand, ToFile, ToMailbox
from maildrop.delivery.aliases import AliasUnusable
from maildrop.errors import MailLoop, NoSuchUser
from maildrop.smtp.wire.path import Path
from tests.delivery.conftest import Host

ALIASES = """\
postmaster: root
root: alice
team: bob, carol@example.org, bob
alice: \\alice, bob
bob: bob
loop1: loop2
loop2: loop1
self-only: self-only
some: bob, nobody, loop1
none: nobody
lists: carol+Lists
info: bob
away: bob, Ann Other <ann@far.example>, eve@far.example (Eve), ann@FAR.example
null: /dev/null
program: "|/usr/bin/filter -x, y", bob
files: /var/mail/archive, /var/mail/box/
fail: :fail: gone
plain-alice: \\alice
direct: \\bob+Lists, \\ann@far.example
"""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("root", ["alice", "bob"]),
        ("PostMaster", ["alice", "bob"]),
        ("team", ["bob", "carol"]),
        ("team+x", ["bob", "carol"]),
        ("team-x", ["bob", "carol"]),
        ("team@b.example", ["bob", "carol"]),
        ("TEAM@B.Example.", ["bob", "carol"]),
        ("alice", ["alice", "bob"]),
        ("bob", ["bob"]),
        ("carol-lists", ["carol/lists"]),
        ("some", ["bob"]),
        ("info", ["bob"]),
        ("info@b.example", ["info@b.example"]),
        ("carol", ["carol"]),
        ("lists", ["carol/Lists"]),
        ("john+doe", ["john+doe"]),
        ("away", ["bob", "<ann@far.example>", "<eve@far.example>"]),
        ("null", ["nowhere"]),
        ("program", ["|/usr/bin/filter -x, y", "bob"]),
        ("files", ["/var/mail/archive", "/var/mail/box/"]),
        ("plain-alice", ["alice"]),
        ("direct", ["bob/Lists", "<ann@far.example>"]),
    ],
)
def test_what_an_alias_means(host: Host, address: str, expected: list[str]) -> None:
    """aliases(5)."""
    host.write("aliases", ALIASES)
    assert host.shown(address) == expected


@pytest.mark.parametrize("name", ["none", "dora", "+alice"])
def test_who_means_nobody_does_not_exist(host: Host, name: str) -> None:
    host.write("aliases", ALIASES)
    with pytest.raises(NoSuchUser):
        host.router.route_here(Path(name, ""))


@pytest.mark.parametrize("name", ["loop1", "loop2", "self-only"])
def test_a_circle_of_aliases_is_a_loop(host: Host, name: str) -> None:
    """RFC 3463 section 3.5, X.4.6."""
    host.write("aliases", ALIASES)
    with capturedLogs() as logs, pytest.raises(MailLoop, match="circle"):
        host.route(name)
    assert any("circle" in event.get("text", "") for event in logs)


def test_what_is_not_understood_is_tried_again(host: Host) -> None:
    """Somebody will mend the file; meanwhile nothing is lost."""
    host.write("aliases", ALIASES)
    with capturedLogs() as logs, pytest.raises(AliasUnusable):
        host.route("fail")
    assert [event["log_level"] for event in logs][-1] is LogLevel.error


def test_an_action_says_why(host: Host) -> None:
    file = host.write("aliases", "team: \n\n two\ntwo: bob+x\n")
    (action,) = host.route("team").actions
    assert [str(reason) for reason in action.why] == [
        f"alias: team -> two ({file}:1)",
        f"alias: two -> bob+x ({file}:4)",
        "user: bob",
        "detail: folder x",
    ]


def test_depth_and_number_are_limited(host: Host) -> None:
    chain = "".join(f"a{n}: a{n + 1}\n" for n in range(9)) + "a9: bob\n"
    host.write("aliases", chain)
    assert host.shown("a2") == ["bob"]
    with pytest.raises(AliasUnusable, match="in a row"):
        host.route("a1")


def test_an_alias_is_followed_once_however_often_it_is_named(host: Host) -> None:
    text = "".join(f"a{n}: {', '.join([f'a{n + 1}'] * 9)}\n" for n in range(7))
    host.write("aliases", text + "a7: bob\n")
    assert host.shown("a0") == ["bob"]


def test_the_owner_of_a_list_is_its_reverse_path(host: Host) -> None:
    """aliases(5): owner-LIST."""
    text = "team: bob, inner, x@far.example\ninner: carol\nowner-team: alice\n"
    host.write("aliases", text + "owner-inner: bob\nowner-owner-team: carol\n")
    owner = Path("owner-team", "b.example")
    actions = host.route("team@b.example").actions
    inner = Path("owner-inner", "example.org")
    assert [action.sender for action in actions] == [owner, inner, owner]
    (mailbox,) = host.route("owner-team").actions
    assert mailbox.sender is None


def test_a_report_to_a_list_keeps_its_null_sender(host: Host) -> None:
    """RFC 5321 section 4.5.5: else reports on reports go round."""
    host.write("aliases", "team: bob, x@far.example\nowner-team: alice\n")
    actions = host.route("team", sender="").actions
    assert [action.sender for action in actions] == [None, None]


# -- commands, files and whose they are


def test_what_a_file_of_root_names_runs_as_the_default_user(host: Host) -> None:
    file = host.write("aliases", 'x: "|/bin/x", /var/mail/x\n')
    (command, to_file) = host.route("x").actions
    assert isinstance(command, ToCommand)
    assert isinstance(to_file, ToFile)
    uid = file.stat().st_uid
    expected = 65534 if uid == 0 else uid
    assert (command.rights.uid, to_file.rights.uid) == (expected, expected)
    assert (command.user, to_file.user) == ("", "")


@pytest.mark.parametrize("value", ['"|/bin/x"', "/var/mail/x"])
def test_a_file_that_others_may_write_names_no_commands(host: Host, value: str) -> None:
    host.write("aliases", f"x: bob, {value}\ny: bob\n", 0o664)
    with pytest.raises(AliasUnusable, match="others can write it"):
        host.route("x")
    assert host.shown("y") == ["bob"]


def test_where_commands_may_be_named_is_configured(host: Host) -> None:
    host.write("aliases", 'x: "|/bin/x"\n')
    host.forward("bob", "|/bin/x\n")
    host.allowed = frozenset()
    with pytest.raises(AliasUnusable, match="not allowed"):
        host.route("x")
    assert host.shown("bob") == ["bob"]


@pytest.mark.parametrize(
    "address", ["|/bin/sh", "/etc/passwd", ":include:/etc/passwd", "\\bob", '"|x"']
)
def test_what_a_client_sends_is_never_a_command(host: Host, address: str) -> None:
    host.write("aliases", "x: bob\n")
    with pytest.raises(NoSuchUser):
        host.router.route_here(Path(address, "example.org"))


# -- lists


def test_a_list_is_read_from_a_file(host: Host) -> None:
    members = host.write("list", "# members\nbob\ncarol, x@far.example\n\nnobody\r\n")
    host.write("aliases", f"team: :include:{members}\n")
    assert host.shown("team") == ["bob", "carol", "<x@far.example>"]
    (bob, *_) = host.route("team").actions
    assert str(bob.why[1]) == f"include: bob ({members}:2)"


def test_a_list_names_no_commands_unless_configured(host: Host) -> None:
    members = host.write("list", "|/bin/x\n")
    host.write("aliases", f"team: :include:{members}\n")
    with pytest.raises(AliasUnusable, match="not allowed in include"):
        host.route("team")


@pytest.mark.parametrize(("mode", "allowed"), [(0o644, True), (0o646, False)])
def test_a_list_that_others_may_write_has_addresses_only(
    host: Host, mode: int, allowed: bool
) -> None:
    host.allowed = frozenset({"include"})
    members = host.write("list", "bob, |/bin/x\n", mode)
    addresses = host.write("addresses", "bob\n", mode)
    text = f"team: :include:{members}\nplain: :include:{addresses}\n"
    host.write("aliases", text)
    assert host.shown("plain") == ["bob"]
    if allowed:
        assert host.shown("team") == ["bob", "|/bin/x"]
    else:
        with pytest.raises(AliasUnusable, match="can be written by others"):
            host.route("team")


def test_a_list_that_is_missing_is_tried_again(host: Host) -> None:
    host.write("aliases", "team: bob, :include:/nowhere/list\n")
    with pytest.raises(AliasUnusable, match="does not exist"):
        host.route("team")


def test_a_list_that_is_a_link_is_not_read(host: Host) -> None:
    link = host.directory / "link"
    link.symlink_to(host.write("list", "bob\n"))
    host.write("aliases", f"team: :include:{link}\n")
    with pytest.raises(AliasUnusable, match="symbolic link"):
        host.route("team")


def test_lists_that_include_each_other_end(host: Host) -> None:
    one, two = host.directory / "one", host.directory / "two"
    host.write("one", f":include:{two}\nbob\n")
    host.write("two", f":include:{one}\ncarol\n")
    host.write("aliases", f"team: :include:{one}\n")
    assert host.shown("team") == ["carol", "bob"]


def test_a_large_list_waits_for_the_queue(host: Host) -> None:
    """What would hold a client up is found out when the message is on disk."""
    members = host.write("list", "".join(f"u{n}@far.example\n" for n in range(200)))
    names = ", ".join(f"u{n}@far.example" for n in range(11))
    text = f"team: :include:{members}\nwide: {names}\nfew: {names[:30]}\n"
    host.write("aliases", text + "a: wide, few\n")
    assert host.shown("team") == ["later <team@example.org>"]
    assert host.shown("wide") == ["later <wide@example.org>"]
    assert host.shown("a") == ["later <a@example.org>"]
    whole = host.route("team", whole=True)
    assert len(whole.actions) == 200
    assert all(isinstance(each, ToAddress) for each in whole.actions)


def test_a_hundred_thousand_members_are_no_trouble(host: Host) -> None:
    host.limits = type(host.limits)(members=200_000)
    lines = "".join(f"m{n}@far.example\n" for n in range(100_000))
    members = host.write("list", lines)
    host.write("aliases", f"team: :include:{members}\n")
    assert host.shown("team") == ["later <team@example.org>"]
    assert len(host.route("team", whole=True).actions) == 100_000


def test_a_list_without_measure_is_not_used(host: Host) -> None:
    members = host.write("list", "".join(f"u{n}@far.example\n" for n in range(5001)))
    host.write("aliases", f"team: :include:{members}\n")
    with pytest.raises(AliasUnusable, match="over 5000 recipients"):
        host.route("team", whole=True)


# -- everything

names = st.sampled_from(["alice", "bob", "a", "b", "c", "d@v.example", "e@far.example"])
values = st.one_of(
    names,
    names.map(lambda name: f"\\{name}"),
    st.sampled_from(["|/bin/x", "/var/mail/x", "/dev/null", ":x:", "@v.example"]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    aliases=st.dictionaries(st.sampled_from("abc"), st.lists(values, max_size=4)),
    virtual=st.dictionaries(names, st.lists(names, min_size=1, max_size=3)),
    forwards=st.dictionaries(st.sampled_from(["alice", "bob"]), st.lists(values)),
    address=names,
)
def test_every_search_ends_and_nothing_is_done_twice(
    host: Host,
    aliases: dict[str, list[str]],
    virtual: dict[str, list[str]],
    forwards: dict[str, list[str]],
    address: str,
) -> None:
    host.write("aliases", "".join(f"{k}: {', '.join(v)}\n" for k, v in aliases.items()))
    host.write("virtual", "".join(f"{k} {', '.join(v)}\n" for k, v in virtual.items()))
    for user in ("alice", "bob"):
        host.forward(user, "\n".join(forwards.get(user, [])))
    host.clock.advance(2)
    if host.router.is_local(address.partition("@")[2]):
        try:
            actions = host.route(address).actions
        except (NoSuchUser, MailLoop, AliasUnusable):
            return
        assert actions
        assert len(set(actions)) == len(actions)
        assert all(isinstance(action, ToMailbox) or action.why for action in actions)

"""Endpoint strings before anything is opened."""

import pytest
from hypothesis import given, strategies as st

from maildrop.app.endpoints import Place, collide, parse
from maildrop.app.kinds import Unfit
from maildrop.net import listeners


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("tcp:143", Place("tcp", 143)),
        ("tcp:port=143", Place("tcp", 143)),
        ("tcp:0:interface=127.0.0.1", Place("tcp", 0, "127.0.0.1")),
        (r"tcp:143:interface=\:\:1", Place("tcp", 143, "::1")),
        ("tcp:143:interface=127.0.0.1:backlog=99", Place("tcp", 143, "127.0.0.1")),
        ("tcp6:143", Place("tcp6", 143)),
        ("unix:/run/x.sock:mode=660", Place("unix", path="/run/x.sock")),
        ("systemd:domain=INET:index=0", Place("systemd", name="#0")),
        ("systemd:domain=INET6:name=imap", Place("systemd", name="imap")),
    ],
)
def test_an_endpoint_names_a_place(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("143", "lacks its kind"),
        ("", "no endpoint"),
        ("tpc:143", "no endpoint"),
        ("ssl:993", "a key of its own"),
        ("tcp", "no port"),
        ("tcp:", "needs one value"),
        ("tcp:imap", "no port"),
        ("tcp:65536", "no port"),
        ("tcp:143:interfce=127.0.0.1", "unknown argument"),
        ("tcp:143:interface=localhost", "no IP address"),
        ("unix:lmtp.sock", "full path"),
        ("unix:/" + "x" * 110, "107 octets"),
        ("unix:/x:mode=rw", "octal"),
        ("systemd:domain=INET", "needs either"),
        ("tcp:1:2:3:4", "unknown argument"),
        ("tcp:25:127.0.0.1", "unknown argument"),
        ("tcp:25:backlog=many", "backlog"),
        ("tcp:25:interface=", "one value"),
        ("unix:/x:mode=7777", "octal"),
        ("systemd:index=0", "domain="),
        ("systemd:domain=INET:index=x", "index must be"),
        ("systemd:domain=INET:index=0:name=x", "needs either"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(text)
    assert reason in caught.value.what


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        ("tcp:143", "tcp:143", True),
        ("tcp:143", "tcp:993", False),
        ("tcp:143", "tcp:143:interface=127.0.0.1", True),
        ("tcp:143:interface=127.0.0.2", "tcp:143:interface=127.0.0.1", False),
        ("tcp:0", "tcp:0", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "tcp:143", False),
        ("systemd:INET:index=0", "systemd:INET:index=0", True),
    ],
)
def test_two_listens_collide_on_one_place(one: str, other: str, taken: bool) -> None:
    assert collide(parse(one), parse(other)) is taken
    assert collide(parse(other), parse(one)) is taken


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("tcp:143", False),
        ("tcp:143:interface=127.0.0.9", True),
        (r"tcp:143:interface=\:\:1", True),
        ("tcp:143:interface=192.0.2.1", False),
        ("unix:/a", True),
    ],
)
def test_loopback_and_unix_sockets_are_local(text: str, local: bool) -> None:
    assert parse(text).local is local


@given(st.text("tcpunix:=\\0123./", max_size=30))
def test_any_text_parses_or_is_unfit(text: str) -> None:
    try:
        parse(text)
    except Unfit as unfit:
        assert unfit.what


KINDS = st.sampled_from(["tcp", "tcp6", "unix", "systemd", ""])
ARGUMENTS = st.sampled_from(
    [
        "143",
        "/run/x",
        "INET",
        "port=1",
        "mode=660",
        "mode=8",
        "index=0",
        "index=-1",
        "name=x",
        "backlog=5",
        "backlog=x",
        "interface=127.0.0.1",
        "address=/x",
        "domain=INET",
        "lockfile=0",
        "",
    ]
)


@given(KINDS, st.lists(ARGUMENTS, max_size=3))
def test_what_passes_here_can_be_listened_on(kind: str, arguments: list[str]) -> None:
    text = ":".join([kind, *arguments])
    try:
        parse(text)
    except Unfit:
        return
    assert listeners.parse(text).kind == kind

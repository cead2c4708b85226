"""Endpoint strings: taken apart, and refused with the reason."""

import pytest
from hypothesis import given, strategies as st

from maildrop.net.listeners import (
    CannotListen,
    EndpointInvalid,
    Listener,
    inherit_all,
    parse,
)


@pytest.mark.parametrize(
    ("endpoint", "kind", "values"),
    [
        ("tcp:143", "tcp", {"port": "143"}),
        ("tcp:port=143", "tcp", {"port": "143"}),
        (
            "tcp:143:interface=127.0.0.1:backlog=5",
            "tcp",
            {"port": "143", "interface": "127.0.0.1", "backlog": "5"},
        ),
        (r"tcp:0:interface=\:\:1", "tcp", {"port": "0", "interface": "::1"}),
        ("tcp6:143", "tcp6", {"port": "143"}),
        ("unix:/run/lmtp:mode=660", "unix", {"address": "/run/lmtp", "mode": "660"}),
        ("unix:/run/x:lockfile=0", "unix", {"address": "/run/x", "lockfile": "0"}),
        (r"unix:/a\:b\\c", "unix", {"address": r"/a:b\c"}),
        ("systemd:domain=INET:index=0", "systemd", {"domain": "INET", "index": "0"}),
        ("systemd:INET6:name=imap", "systemd", {"domain": "INET6", "name": "imap"}),
    ],
)
def test_endpoints_are_taken_apart(
    endpoint: str, kind: str, values: dict[str, str]
) -> None:
    address = parse(endpoint)
    assert (address.kind, address.values) == (kind, values)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("", "begins with none of tcp, tcp6, unix, systemd"),
        ("udp:53", "begins with none of tcp, tcp6, unix, systemd"),
        ("143", "begins with none of tcp, tcp6, unix, systemd"),
        ("tcp", "port is missing"),
        ("tcp:", "port needs one value"),
        ("tcp:imap", "port is no number up to 65535"),
        ("tcp:65536", "port is no number up to 65535"),
        ("tcp:-1", "port is no number up to 65535"),
        ("tcp:143:0.0.0.0", "tcp has no '0.0.0.0'"),
        ("tcp:143:interfaces=::1", "tcp has no 'interfaces'"),
        ("tcp:143:interface=::1", "interface needs one value"),
        ("tcp:143:port=144", "port needs one value"),
        ("tcp:143\\", "ends with a backslash"),
        ("unix:/x:mode=8", "mode is no number up to 777"),
        ("unix:/x:mode=1777", "mode is no number up to 777"),
        ("unix:mode=660", "address is missing"),
        ("systemd:domain=INET", "either index or name is needed"),
        ("systemd:domain=INET:index=0:name=a", "either index or name is needed"),
    ],
)
def test_wrong_endpoints_are_refused_with_the_reason(
    endpoint: str, reason: str
) -> None:
    with pytest.raises(EndpointInvalid) as refused:
        parse(endpoint)
    assert str(refused.value) == f"{endpoint!r}: {reason}"


@given(st.text(max_size=40), st.sampled_from(["", "tcp:", "unix:", "systemd:"]))
def test_any_string_is_an_endpoint_or_refused(text: str, kind: str) -> None:
    try:
        address = parse(kind + text)
    except EndpointInvalid:
        return
    assert all(address.values.values())


def test_all_sockets_that_are_not_inherited_are_named() -> None:
    listeners = [
        Listener("imap", "tcp:143", "starttls", setting="maildrop.toml line 12"),
        Listener("pop3", "tcp:110"),
    ]
    with pytest.raises(CannotListen) as refused:
        inherit_all(listeners, {})
    assert refused.value.problems == (
        "imap on tcp:143 (maildrop.toml line 12): its socket was not inherited",
        "pop3 on tcp:110: its socket was not inherited",
    )

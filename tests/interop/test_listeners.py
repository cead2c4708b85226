"""Sockets that are opened, that are in the way, and that systemd passes."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from maildrop.net.listeners import Bound, CannotListen, Listener, bind_all, close_all
from tests.interop.server import PATIENCE


@pytest.fixture
def opened() -> Iterator[list[Bound]]:
    bound: list[Bound] = []
    yield bound
    close_all(bound)


def unix(path: Path, more: str = "") -> Listener:
    return Listener("lmtp", f"unix:{path}{more}", setting="maildrop.toml line 7")


def test_a_port_in_use_is_named_with_its_setting_and_nothing_stays_open(
    opened: list[Bound], tmp_path: Path
) -> None:
    opened += bind_all([Listener("imap", "tcp:0:interface=127.0.0.1")])
    port = opened[0].socket.getsockname()[1]
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    path = tmp_path / "socket"
    with pytest.raises(CannotListen) as refused:
        bind_all(
            [
                unix(path),
                Listener("pop3", endpoint, setting="maildrop.toml line 3"),
                Listener("smtp", "tcp:25:interface=192.0.2.1"),
                Listener("smtp", "nonsense"),
            ]
        )
    first, second, third = refused.value.problems
    assert first == (
        f"pop3 on {endpoint} (maildrop.toml line 3):"
        " another program listens there already"
    )
    assert second.startswith("smtp on tcp:25:interface=192.0.2.1: ")
    assert "begins with none of" in third
    assert not path.exists()


@pytest.mark.parametrize(
    ("endpoint", "family"),
    [
        ("tcp:0", socket.AF_INET),
        ("tcp:0:interface=127.0.0.1", socket.AF_INET),
        (r"tcp:0:interface=\:\:1", socket.AF_INET6),
        ("tcp6:0", socket.AF_INET6),
    ],
)
def test_the_interface_decides_the_family(
    opened: list[Bound], endpoint: str, family: socket.AddressFamily
) -> None:
    opened += bind_all([Listener("imap", endpoint)])
    assert opened[0].socket.family == family


@pytest.mark.parametrize(("more", "mode"), [("", 0o666), (":mode=600", 0o600)])
def test_a_unix_socket_gets_its_mode_whatever_the_umask(
    opened: list[Bound], tmp_path: Path, more: str, mode: int
) -> None:
    before = os.umask(0o077)
    try:
        opened += bind_all([unix(tmp_path / "socket", more)])
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert (tmp_path / "socket").stat().st_mode & 0o777 == mode


def test_a_stale_unix_socket_is_replaced(opened: list[Bound], tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for one in bind_all([unix(path)]):
        one.socket.close()
    opened += bind_all([unix(path)])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_unix_socket_that_answers_is_left_alone(
    opened: list[Bound], tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    opened += bind_all([unix(path)])
    with pytest.raises(CannotListen, match=r"line 7\): another program listens"):
        bind_all([unix(path)])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("precious")
    with pytest.raises(CannotListen, match="no socket"):
        bind_all([unix(path)])
    assert path.read_text() == "precious"


def test_a_unix_socket_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    bound = bind_all([unix(path)])
    close_all(bound)
    assert not path.exists()
    close_all(bound)


#: Starts a program as systemd does, with its standard input as descriptor 3.
AS_SYSTEMD: Final = """
exec 3<&0 </dev/null
LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=imap exec "$@"
"""
BINDS: Final = """
import sys
from maildrop.net.listeners import Listener, bind_all
[bound] = bind_all([Listener("imap", sys.argv[1])])
print(bound.socket.getsockname())
"""


@pytest.mark.parametrize("which", ["index=0", "name=imap"])
def test_systemd_passes_sockets(which: str) -> None:
    """Descriptors from 3 on, told by LISTEN_FDS and LISTEN_FDNAMES."""
    endpoint = f"systemd:domain=INET:{which}"
    with socket.create_server(("127.0.0.1", 0)) as passed:
        child = subprocess.run(
            ["sh", "-c", AS_SYSTEMD, "sh", sys.executable, "-c", BINDS, endpoint],
            stdin=passed.fileno(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert child.stdout == f"{passed.getsockname()}\n", child.stderr


def test_without_systemd_its_sockets_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    with pytest.raises(CannotListen, match="systemd passed no such socket"):
        bind_all([Listener("imap", "systemd:domain=INET:index=0")])

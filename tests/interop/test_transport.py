"""The base transport on real sockets, beside Twisted's own, under clear text and TLS.

A server process of ``transport_server.py`` serves on loopback, on ports that the kernel
chose; clients are plain sockets and the standard library's TLS.  Every test runs on
both kinds of transport unless only ours can do it.
"""

import contextlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0  # seconds

Client = socket.socket
T = TypeVar("T", bound=socket.socket)


class Server:
    """The process."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.transport_server", kind, directory],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.ports: dict[str, Any] = json.loads(self.process.stdout.readline())

    def stop(self) -> list[str]:
        """End it; what it logged as failed."""
        self.process.terminate()
        assert self.process.stdout is not None
        failures: list[str] = json.loads(self.process.stdout.readline())
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        return failures

    def connect(self, name: str) -> Client:
        """A client without TLS, nothing read yet."""
        client = socket.create_connection(tuple(self.ports[name]), PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def clear(self) -> Client:
        return greeted(self.connect("clear"))

    def tls(self, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        return greeted(self.secure(self.connect("tls"), session))

    def starttls(self) -> ssl.SSLSocket:
        client = self.clear()
        assert ask(client, b"starttls") == b"go\r\n"
        return self.secure(client)

    def secure(
        self, client: Client, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        context = trusting(str(self.directory / "server.pem"))
        return context.wrap_socket(client, server_hostname="localhost", session=session)

    def live(self) -> int:
        """Connections that the server holds, besides the one that asks."""
        with self.clear() as client:
            return int(ask(client, b"live")) - 1

    def emptied(self) -> bool:
        """Whether it lets go of every connection before long."""
        for _ in range(100):
            if not self.live():
                return True
            time.sleep(0.05)
        return False


_contexts: dict[str, ssl.SSLContext] = {}


def trusting(path: str) -> ssl.SSLContext:
    """One context per certificate: sessions belong to their context."""
    if path not in _contexts:
        _contexts[path] = ssl.create_default_context(cafile=path)
    return _contexts[path]


def greeted(client: T) -> T:
    assert line(client) == b"hello\r\n"
    return client


def line(client: Client) -> bytes:
    octets = b""
    while not octets.endswith(b"\n"):
        piece = client.recv(1 << 16)
        if not piece:
            raise EOFError(octets)
        octets += piece
    return octets


def ask(client: Client, command: bytes) -> bytes:
    client.sendall(command + b"\r\n")
    return line(client)


def exactly(client: Client, size: int) -> bytes:
    pieces = []
    while size:
        piece = client.recv(min(size, 1 << 18))
        assert piece
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def to_the_end(client: Client) -> bytes:
    pieces = []
    while piece := client.recv(1 << 18):
        pieces.append(piece)
    return b"".join(pieces)


def start(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(kind, tmp_path_factory.mktemp(kind))
    yield server
    assert server.emptied()
    assert server.stop() == []


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from start("ours", tmp_path_factory)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from start("stock", tmp_path_factory)


@pytest.fixture(params=["ours", "stock"])
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


WAYS: dict[str, Callable[[Server], Client]] = {
    "clear": Server.clear,
    "tls": Server.tls,
    "starttls": Server.starttls,
}


@pytest.fixture(params=WAYS)
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    with WAYS[request.param](server) as client:
        yield client


# -- octets


def test_commands_are_answered(client: Client) -> None:
    assert ask(client, b"echo a") == b"a\r\n"
    client.sendall(b"echo a\r\nnow b\r\necho c\r\n")
    assert exactly(client, 9) == b"a\r\nb\r\nc\r\n"


@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 1 << 20, (1 << 20) + 1])
def test_large_answers_arrive_whole(client: Client, size: int) -> None:
    client.sendall(b"blob %d\r\necho end\r\n" % size)
    assert exactly(client, size) == bytes(size)
    assert line(client) == b"end\r\n"


@pytest.mark.parametrize("size", [16384, 65536, 65537, 1 << 20])
def test_large_commands_arrive_whole(client: Client, size: int) -> None:
    argument = os.urandom(size // 2).hex().encode()
    client.sendall(b"echo " + argument + b"\r\n")
    assert exactly(client, len(argument) + 2) == argument + b"\r\n"


def test_a_command_may_come_octet_by_octet(client: Client) -> None:
    for octet in b"echo slow\r\n":
        client.send(bytes([octet]))
        time.sleep(0.002)
    assert line(client) == b"slow\r\n"


def test_a_slow_reader_gets_everything(client: Client) -> None:
    client.sendall(b"big 20000\r\necho end\r\n")
    time.sleep(0.3)
    assert exactly(client, 20_000_000) == b"x" * 20_000_000
    assert line(client) == b"end\r\n"


def test_reading_and_writing_at_once_do_not_block_each_other(client: Client) -> None:
    asked = b"echo " + b"y" * 1000 + b"\r\n"
    client.setblocking(False)
    to_send, got = asked * 5000, 0
    deadline = time.monotonic() + PATIENCE
    while got < 1002 * 5000:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            while piece := client.recv(1 << 16):
                got += len(piece)
        with contextlib.suppress(
            BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError
        ):
            to_send = to_send[client.send(to_send[: 1 << 14]) :]
    assert not to_send


# -- ends


def test_quit_is_answered_and_the_connection_closed(client: Client) -> None:
    client.sendall(b"quit\r\n")
    assert to_the_end(client) == b"bye\r\n"


def test_quit_after_a_large_answer_cuts_nothing_off(client: Client) -> None:
    client.sendall(b"blob 5000000\r\nquit\r\n")
    time.sleep(0.2)
    assert len(to_the_end(client)) == 5_000_005


def test_a_client_that_vanishes_is_forgotten(server: Server) -> None:
    for way in WAYS.values():
        client = way(server)
        client.sendall(b"big 100000\r\n")
        linger = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
    assert server.emptied()


def test_a_client_that_only_closes_is_forgotten(server: Server) -> None:
    for way in WAYS.values():
        way(server).close()
    assert server.emptied()


def test_after_the_end_of_input_the_answers_still_come(server: Server) -> None:
    with server.clear() as client:
        client.sendall(b"blob 3000000\r\necho end\r\n")
        client.shutdown(socket.SHUT_WR)
        assert to_the_end(client)[3_000_000:] == b"end\r\n"


def test_after_close_notify_the_answers_still_come(ours: Server) -> None:
    """RFC 8446 section 6.1: closing one direction leaves the other open."""
    with ours.connect("tls") as connection:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = trusting(str(ours.directory / "server.pem"))
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(1 << 16))
        client.write(b"blob 100000\r\n")
        with contextlib.suppress(ssl.SSLWantReadError):
            client.unwrap()
        connection.sendall(outgoing.read())
        assert len(to_the_end(connection)) > 100_000


def test_a_client_still_sending_gets_the_last_answer(ours: Server) -> None:
    for way in (Server.clear, Server.starttls):
        with way(ours) as client:
            with contextlib.suppress(OSError):
                client.sendall(b"quit\r\n" + bytes(3_000_000))
            assert client.recv(5) == b"bye\r\n"


# -- TLS


def test_the_peer_is_known_with_its_encryption(server: Server) -> None:
    with server.clear() as client:
        assert ask(client, b"peer").endswith(b" -\r\n")
    for way in (server.tls, server.starttls):
        with way() as client:
            name = f"127.0.0.1:{client.getsockname()[1]}"
            assert ask(client, b"peer") == f"{name} TLSv1.3\r\n".encode()


def test_sessions_are_resumed(server: Server) -> None:
    with server.tls() as client:
        ask(client, b"echo a")
        session = client.session
    with server.tls(session) as client:
        assert client.session_reused


def test_what_is_pipelined_behind_starttls_is_not_executed(server: Server) -> None:
    """RFC 3207 section 4.2: what was said in clear is forgotten."""
    with server.clear() as client:
        client.sendall(b"starttls\r\necho injected\r\n")
        assert to_the_end(client) == b"go\r\n"


def test_clear_octets_instead_of_tls_end_the_connection(server: Server) -> None:
    for connect in (server.clear, lambda: server.connect("tls")):
        with connect() as client:
            if connect == server.clear:
                assert ask(client, b"starttls") == b"go\r\n"
            client.sendall(b"echo a\r\necho b\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"a" not in to_the_end(client)
    assert server.emptied()


def test_a_handshake_has_limited_time(ours: Server) -> None:
    for prepare in (b"", b"\x16\x03\x01"):
        begun = time.monotonic()
        with ours.connect("tls") as client:
            client.sendall(prepare)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert 0.5 < time.monotonic() - begun < 5


def test_a_client_that_goes_during_the_handshake_is_forgotten(server: Server) -> None:
    for octets in (b"", b"\x16\x03\x01\x02\x00\x01"):
        client = server.connect("tls")
        client.sendall(octets)
        client.close()
    assert server.emptied()


def test_starttls_waits_for_the_clear_octets_before_it(ours: Server) -> None:
    with ours.clear() as client:
        client.sendall(b"blob 16000000\r\nstarttls\r\n")
        time.sleep(0.2)
        assert exactly(client, 16_000_004)[-4:] == b"go\r\n"
        with ours.secure(client) as secured:
            assert ask(secured, b"echo a") == b"a\r\n"


# -- ways in


def test_a_unix_socket_has_its_mode_and_peer(ours: Server) -> None:
    path = ours.directory / "socket"
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert ask(greeted(client), b"peer") == b"unix -\r\n"


BINARY = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x01\xc6\x33\x64\x02\0\x63\0\x8f"
)


@pytest.mark.parametrize("name", ["proxied", "proxied-tls"])
@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (b"PROXY TCP4 198.51.100.1 198.51.100.2 99 143\r\n", "198.51.100.1:99"),
        (BINARY, "198.51.100.1:99"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1:"),
    ],
)
def test_a_proxy_tells_the_peer(
    ours: Server, name: str, header: bytes, peer: str
) -> None:
    with ours.connect(name) as connection:
        connection.sendall(header)
        client = ours.secure(connection) if name == "proxied-tls" else connection
        with client:
            assert ask(greeted(client), b"peer").startswith(peer.encode())


@pytest.mark.parametrize("octets", [b"echo a\r\necho b\r\n", b"", b"PROXY TC"])
def test_without_its_header_a_proxy_gets_no_word(ours: Server, octets: bytes) -> None:
    with ours.connect("proxied") as client:
        client.sendall(octets)
        with pytest.raises(ConnectionResetError):
            client.recv(1)

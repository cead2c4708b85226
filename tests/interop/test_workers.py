"""Worker processes on one inherited socket, asked and replaced over the control socket.

The processes are those of ``workers_server.py``.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maildrop.control.client import NotRunning, Refused, request

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0  # seconds


class Server:
    """Parent and workers."""

    def __init__(self, directory: Path) -> None:
        self.control = str(directory / "control")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.workers_server", "parent", directory],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def ask(self, command: str, **more: object) -> dict[str, Any]:
        return request(self.control, {"command": command, **more})

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        assert client.recv(100) == b"hello\r\n"
        return client

    def workers(self) -> set[int]:
        return {process["pid"] for process in self.ask("status")["processes"][1:]}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.end()


def soon(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if reached():
            return True
        time.sleep(0.05)
    return False


def running(pid: int) -> bool:
    """Whether it does anything; one that ended may still have to be waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_status_and_who_cover_all_workers(server: Server) -> None:
    clients = [server.connect() for _ in range(40)]
    status = server.ask("status")
    assert status["sessions"] == {"talk": 40}
    assert len(status["processes"]) == 3
    who = server.ask("who")["sessions"]
    ports = {client.getsockname()[1] for client in clients}
    assert {told["port"] for told in who} == ports
    assert server.ask("kick", session=who[7]["session"]) == {"ok": True, "kicked": 1}
    assert soon(lambda: server.ask("status")["sessions"] == {"talk": 39})
    assert server.ask("kick", address="127.0.0.1")["kicked"] == 39
    for client in clients:
        assert client.recv(1) == b""
        client.close()


def test_a_killed_worker_is_replaced(server: Server) -> None:
    before = server.workers()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    assert soon(lambda: len(server.workers() - {victim}) == 2)
    server.connect().close()


def test_a_reload_turns_no_client_away_and_keeps_sessions(server: Server) -> None:
    before = server.workers()
    faithful = server.connect()
    stop = threading.Event()
    failures: list[Exception] = []
    served = [0]

    def visit() -> None:
        while not stop.is_set():
            try:
                server.connect().close()
            except (OSError, AssertionError) as error:
                failures.append(error)
            served[0] += 1

    visitor = threading.Thread(target=visit)
    visitor.start()
    for _ in range(2):
        server.ask("reload")
    stop.set()
    visitor.join(PATIENCE)
    assert failures == []
    assert served[0] > 10
    faithful.sendall(b"echo still\r\n")
    assert faithful.recv(100) == b"still\r\n"
    faithful.close()
    assert soon(lambda: len(server.workers()) == 2)
    assert not before & server.workers()
    assert soon(lambda: not any(running(pid) for pid in before))


def test_stop_ends_parent_and_workers(server: Server) -> None:
    workers = server.workers()
    server.ask("stop")
    assert server.process.wait(PATIENCE) == 0
    assert not any(running(pid) for pid in workers)


def test_workers_do_not_outlive_their_parent(server: Server) -> None:
    workers = server.workers()
    server.process.kill()
    assert soon(lambda: not any(running(pid) for pid in workers))


def test_the_client_says_when_nobody_answers(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the commands are"):
        server.ask("format")
    server.end()
    for path in (server.control, str(tmp_path / "none"), "/" + "x" * 200):
        with pytest.raises(NotRunning):
            request(path, {"command": "status"})

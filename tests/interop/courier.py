"""A Courier that runs for tests, on loopback: courier-imap and courier-pop.

In this file:
    Courier    start, stop, its ports, a user's Maildir

Debian's packages exclude Dovecot's; so they are not installed, but unpacked below
``ROOT`` (``tests/interop/run``), and the programs behind the login run from there.  The
login itself is done here, as ``couriertcpd`` and ``imaplogin`` do it: the user, then
``imapd`` or ``courierpop3d`` on the socket with what it wants in its environment.

Everything lies in one directory, which goes away at the end: ``home/Maildir  log``.
"""

import contextlib
import imaplib
import os
import poplib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from tests.interop.server import PASSWORD, PATIENCE

ROOT: Final = Path(os.environ.get("MAILDROP_COURIER", "/opt/maildrop-courier"))
_IMAPD: Final = ROOT / "usr/bin/imapd"
_POP3D: Final = ROOT / "usr/lib/courier/courier/courierpop3d"
_LIBRARIES: Final = ("usr/lib", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_SETTING: Final = re.compile(r'^([A-Z0-9_]+)="?([^"\n]*)"?$', re.MULTILINE)
_LOGIN: Final = re.compile(
    rb'(\S+) LOGIN "?([^" ]+)"? "?([^"\r]+)"?\r\n',
    re.IGNORECASE,
)


class Courier:
    """A server with one user.

    Args:
        user: The user's name.
        account: The system account that owns the mail.
    """

    def __init__(self, user: str = "maria", account: str = "mail") -> None:
        assert _IMAPD.exists(), f"{_IMAPD} is missing: tests/interop/run unpacks it"
        self.directory = Path(tempfile.mkdtemp(prefix="courier-test-"))
        self.directory.chmod(0o755)
        self.user = user
        self.home = self.directory / "home"
        self.maildir = self.home / "Maildir"
        owner = pwd.getpwnam(account)
        self.uid, self.gid = owner.pw_uid, owner.pw_gid
        for path in (self.home, self.maildir, *map(self.maildir.joinpath, _PARTS)):
            path.mkdir()
            os.chown(path, self.uid, self.gid)
        self._listeners: list[socket.socket] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self.imap = self.pop3 = 0

    def start(self) -> Self:
        """Listen."""
        self.imap = self._listen(self._imap)
        self.pop3 = self._listen(self._pop3)
        return self

    def _listen(self, serve: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,)).start()

        threading.Thread(target=accept, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    # -- login

    def _imap(self, connection: socket.socket) -> None:
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready.\r\n")
        while line := _line(connection):
            login = _LOGIN.fullmatch(line)
            if login is not None and login[3].decode() == PASSWORD:
                environment = self._environment("imapd", "IMAP")
                environment["IMAPLOGINTAG"] = login[1].decode()
                self._run(connection, _IMAPD, environment)
                break
            tag, _, command = line.partition(b" ")
            if command.upper().startswith(b"CAPABILITY"):
                connection.sendall(b"* CAPABILITY IMAP4rev1\r\n")
            known = command.upper().startswith((b"CAPABILITY", b"NOOP", b"ID"))
            connection.sendall(tag + (b" OK Done.\r\n" if known else b" NO No.\r\n"))
        connection.close()

    def _pop3(self, connection: socket.socket) -> None:
        connection.sendall(b"+OK Hello there.\r\n")
        while line := _line(connection):
            word = line[:4].upper()
            if word == b"PASS" and line[5:].strip().decode() == PASSWORD:
                self._run(connection, _POP3D, self._environment("pop3d", "POP3"))
                break
            if word == b"CAPA":
                connection.sendall(b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n")
            else:
                connection.sendall(b"+OK\r\n" if word == b"USER" else b"-ERR\r\n")
        connection.close()

    def _environment(self, name: str, protocol: str) -> dict[str, str]:
        settings = (ROOT / "etc/courier" / name).read_text()
        environment = dict(_SETTING.findall(settings))
        return environment | {
            "AUTHADDR": self.user,
            "AUTHENTICATED": self.user,
            "HOME": str(self.home),
            "IMAP_EMPTYTRASH": "",
            "IMAP_USELOCKS": "0",  # they want a file alteration monitor
            "LD_LIBRARY_PATH": ":".join(str(ROOT / name) for name in _LIBRARIES),
            "MAILDIR": str(self.maildir),
            "PATH": os.environ["PATH"],
            "PROTOCOL": protocol,
            "TCPREMOTEIP": "127.0.0.1",
            "TCPREMOTEPORT": "1",
        }

    def _run(
        self, connection: socket.socket, program: Path, environment: dict[str, str]
    ) -> None:
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(program), str(self.maildir)],
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=log,
                cwd=self.home,
                env=environment,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
            )
        self._running.append(process)
        process.wait()

    # -- the rest

    def log(self) -> str:
        """What the programs said."""
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """End it."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._listeners.clear()
        for process in self._running:
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE)
        self._running.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def imap_client(self) -> imaplib.IMAP4:
        """A connection that is logged in."""
        connection = imaplib.IMAP4("127.0.0.1", self.imap, timeout=PATIENCE)
        connection.login(self.user, PASSWORD)
        return connection

    def pop3_client(self) -> poplib.POP3:
        """A connection that is logged in."""
        connection = poplib.POP3("127.0.0.1", self.pop3, timeout=PATIENCE)
        connection.user(self.user)
        connection.pass_(PASSWORD)
        return connection


_PARTS: Final = ("cur", "new", "tmp")


def _line(connection: socket.socket) -> bytes:
    """A line, and nothing of what follows; empty at the end."""
    line = b""
    while not line.endswith(b"\n"):
        octet = connection.recv(1)
        if not octet:
            return b""
        line += octet
    return line

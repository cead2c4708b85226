"""A server under test, and one mailbox that it serves.

In this file:
    message    a small one
    Corpus     many of them, made once and linked into each Maildir
    Client     a connection that waits for what it expects
    Subject    the server
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import benchlib

PEER: Final = Path(__file__).resolve().parent / "peers" / "peer"
USER: Final = "user1"
#: Files that are one message by hard links; ext4 allows 65,000.
LINKS: Final = 30_000
BEGAN: Final = 1_767_000_000
LIMIT: Final = 900.0  # seconds for one answer


def message(number: int) -> bytes:
    """A small message, LF line ends."""
    return (
        b"Return-Path: <alice@example.test>\n"
        b"From: Alice Example <alice%d@example.test>\n"
        b"To: user1@example.test\n"
        b"Subject: message number %d\n"
        b"Date: Mon, 29 Dec 2025 10:00:00 +0000\n"
        b"Message-ID: <%d@example.test>\n"
        b"MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n"
        b"Hello,\n\nthis is all.\n" % (number % 7, number, number)
    )


class Corpus:
    """Messages of one size, as files to be linked and as an mbox.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._root = Path(benchlib.sdir("growth", str(count)))

    def fill_maildir(self, maildir: Path) -> None:
        """Put the messages into cur/ of a new Maildir."""
        self._root.mkdir(parents=True, exist_ok=True)
        for part in ("cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True)
        cur = os.open(maildir / "cur", os.O_DIRECTORY)
        source, sizes = Path(), ""
        for number in range(self.count):
            if number % LINKS == 0:
                source = self._root / f"message{number}"
                sizes = self._write(source, number)
            seen = "S" if number % 10 else ""
            # As spread as those of real deliveries: names go through hashes.
            when, what = BEGAN + 97 * number, number * 7919 % 1_000_000
            name = f"{when}.M{what}P{number % 32_749}.bench,{sizes}:2,{seen}"
            os.link(source, name, dst_dir_fd=cur)
        os.close(cur)
        for path in (maildir.parent, maildir, *maildir.iterdir()):
            os.chown(path, benchlib.UID, benchlib.GID)
        # Nobody has done anything here for long: no server has to distrust the times.
        for part in ("cur", "new"):
            os.utime(maildir / part, (BEGAN, BEGAN))

    def _write(self, path: Path, number: int) -> str:
        octets = message(number)
        path.write_bytes(octets)
        os.utime(path, (BEGAN, BEGAN))
        os.chown(path, benchlib.UID, benchlib.GID)
        return f"S={len(octets)},W={len(octets) + octets.count(10)}"

    def fill_mbox(self, directory: Path) -> None:
        """Write the messages to ``inbox`` in a new directory."""
        directory.mkdir(parents=True)
        with (directory / "inbox").open("wb") as file:
            for number in range(self.count):
                head, _, body = message(number).partition(b"\n\n")
                status = b"RO" if number % 10 else b"O"
                file.write(
                    b"From alice@example.test Mon Dec 29 10:00:00 2025\n%b\n"
                    b"Status: %b\n\n%b\n" % (head, status, body)
                )
        for path in (directory.parent, directory, directory / "inbox"):
            os.chown(path, benchlib.UID, benchlib.GID)

    def remove(self) -> None:
        """Take what was made off the disk."""
        shutil.rmtree(self._root, ignore_errors=True)


class Client:
    """One connection.

    Args:
        port: On the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def line(self) -> bytes:
        """The next line."""
        line = self._file.readline()
        if not line:
            raise ConnectionError("closed by the server")
        return line

    def until(self, *starts: bytes) -> bytes:
        """Lines up to one that begins with any of these; that one."""
        while not (line := self.line()).startswith(starts):
            pass
        return line

    def say(self, line: bytes, *starts: bytes) -> bytes:
        """Send a line and wait for the answer.

        Raises:
            ConnectionError: The answer begins with something else.
        """
        self._socket.sendall(line + b"\r\n")
        answer = self.until(*starts, b"x NO", b"x BAD", b"-ERR", b"4", b"5")
        if not answer.startswith(starts):
            raise ConnectionError(f"{line!r}: {answer!r}")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


def imap(port: int) -> Client:
    """An IMAP client that has logged in."""
    client = Client(port)
    client.line()
    client.say(b"x LOGIN %b %b" % (USER.encode(), benchlib.PASSWORD.encode()), b"x OK")
    return client


@dataclass
class Subject:
    """A server with one mailbox.

    Attributes:
        name: Of the peer.
        corpus: What the mailbox held at first.
        ports: By protocol.
        results: Numbers by operation.
        selected: A client in the mailbox.
    """

    name: str
    corpus: Corpus
    ports: dict[str, int]
    results: dict[str, float] = field(default_factory=dict)
    selected: Client | None = None

    @property
    def home(self) -> Path:
        """Of the user."""
        return Path(benchlib.sdir(self.name, "home", USER))

    @property
    def is_mbox(self) -> bool:
        """Whether the mailbox is an mbox."""
        return self.name.endswith("-mbox")

    def prepare(self) -> None:
        """Make the mailbox; the server is not running."""
        shutil.rmtree(self.home, ignore_errors=True)
        for path in self._indexes_elsewhere():
            shutil.rmtree(path, ignore_errors=True)
        if self.is_mbox:
            self.corpus.fill_mbox(self.home / "mail")
        else:
            self.corpus.fill_maildir(self.home / "Maildir")

    def _indexes_elsewhere(self) -> list[Path]:
        return [Path(benchlib.sdir(self.name, "state", "mailboxes", USER))]

    def start(self) -> None:
        """Start the server."""
        subprocess.run([PEER, "up", self.name], check=True, stdout=subprocess.DEVNULL)
        time.sleep(0.5)

    def stop(self) -> None:
        """Stop the server."""
        self.selected = None
        benchlib.stop(self.name)

    def client(self) -> Client:
        """A client in the mailbox; the same until the server is stopped."""
        if self.selected is None:
            self.selected = imap(self.ports["imap"])
            self.selected.say(b"x SELECT INBOX", b"x OK")
        return self.selected

    def newest(self) -> int:
        """The UID of the newest message."""
        client = self.client()
        client._socket.sendall(b"x UID FETCH * (UID)\r\n")
        line = client.until(b"* ")
        while b" FETCH " not in line:
            line = client.until(b"* ")
        client.until(b"x OK")
        return int(line.partition(b"UID ")[2].rstrip(b")\r\n"))

    def read(self) -> dict[str, Any]:
        """CPU and memory of the server's processes."""
        read: dict[str, Any] = benchlib.Cgroup(self.name).read()
        return read

    @contextlib.contextmanager
    def measured(self, operation: str, times: int) -> Iterator[None]:
        """Note the CPU of one of ``times``, in milliseconds."""
        time.sleep(0.2)
        before = self.read()["cpu"]
        yield
        time.sleep(0.05)  # what is done after the answer belongs to it
        spent = self.read()["cpu"] - before
        self.results[operation] = 1000 * spent / times

    def octets_of_indexes(self) -> int:
        """Octets of all files that are no mail."""
        if self.is_mbox:
            places = [*self._indexes_elsewhere(), self.home / "mail" / ".imap"]
        else:
            places = [self.home / "Maildir"]
        total = 0
        for place in places:
            for directory, below, names in os.walk(place):
                below[:] = [name for name in below if name not in {"cur", "new", "tmp"}]
                total += sum((Path(directory) / name).stat().st_size for name in names)
        return total

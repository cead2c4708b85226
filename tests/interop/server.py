"""A maildrop that runs for tests: its own process, directories and ports.

In this file:
    User        who has mail there
    Server      the process: start, stop, kill, its log, its ports, its control command
    until       waits for something to become true

The server is ``twistd -n maildrop`` beside the interpreter that runs the tests.  It
listens on ports of the loopback interface that the kernel chooses; the log says which.
Everything lies in one directory, which goes away at the end:

    maildrop.toml  passwd  log  state/  home/USER/  spool/USER
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

#: Seconds for anything that should take less than one.
PATIENCE: Final = 30.0
DOMAIN: Final = "example.org"
PASSWORD: Final = "correct horse"

BIN: Final = Path(sys.executable).parent

#: What a server listens on: name of the port -> protocol, TLS.
PORTS: Final = {
    "imap": ("imap", "starttls"),
    "imaps": ("imap", "implicit"),
    "pop3": ("pop3", "starttls"),
    "pop3s": ("pop3", "implicit"),
    "smtp": ("smtp", "starttls"),
    "submission": ("submission", "starttls"),
    "submissions": ("submission", "implicit"),
    "lmtp": ("lmtp", "none"),
}
_TWISTD: Final = ("-n", "--pidfile=", "maildrop", "--config")
_SERVING: Final = re.compile(r"serving (\w+) tls=(\w+) on (\S+:)?(\d+)\n")
_TROUBLE: Final = re.compile(r"^\S+ (?:error|critical) .*|.*Traceback.*", re.MULTILINE)


def until(condition: Callable[[], T], what: str = "", seconds: float = PATIENCE) -> T:
    """Wait until ``condition`` gives something true, and return it.

    Raises:
        AssertionError: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {seconds} s: {what or condition}"
        time.sleep(0.01)
    return found


@dataclass(frozen=True, slots=True)
class User:
    """Who has mail on a server.

    Attributes:
        name: Login name.
        kind: ``maildir`` or ``mbox``.
        uid: Owner of the mail, None for the server's account.
        password: What opens it.
    """

    name: str
    kind: str = "maildir"
    uid: int | None = None
    password: str = PASSWORD

    @property
    def address(self) -> str:
        """Where mail is sent to."""
        return f"{self.name}@{DOMAIN}"


MAILDIR: Final = User("maria")
MBOX: Final = User("max", "mbox")


class Server:
    """One maildrop.

    Args:
        users: Who has mail there.
        configuration: More TOML, put behind the listeners; ``DIRECTORY`` in it stands
            for the server's directory.
        top: TOML put before the first section.
        account: What the server works as when root starts it.
        ports: What it listens on.
        domains: Whose mail is its own.
        wrapper: A command that runs the server.
        hostname: What it calls itself.
    """

    def __init__(
        self,
        users: Iterable[User] = (MAILDIR, MBOX),
        configuration: str = "",
        top: str = "",
        account: str = "root",
        ports: Sequence[str] = tuple(PORTS),
        domains: Sequence[str] = (DOMAIN,),
        wrapper: Sequence[str] = (),
        hostname: str = f"mail.{DOMAIN}",
    ) -> None:
        self.users = tuple(users)
        self.directory = Path(tempfile.mkdtemp(prefix="maildrop-test-"))
        self.directory.chmod(0o755)
        self.file = self.directory / "maildrop.toml"
        self.state = self.directory / "state"
        self.certificate = self.state / "certs" / "server.pem"
        self.ports: dict[str, int] = {}
        self._names = tuple(ports)
        self._log = self.directory / "log"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._wrapper = tuple(wrapper)
        self.hostname = hostname
        self._write(configuration, top, account, domains)

    # -- files

    def home(self, user: User) -> Path:
        """The user's home directory."""
        return self.directory / "home" / user.name

    def maildir(self, user: User) -> Path:
        """A Maildir user's inbox."""
        return self.home(user) / "Maildir"

    def spool(self, user: User) -> Path:
        """An mbox user's inbox."""
        return self.directory / "spool" / user.name

    def location(self, user: User) -> str:
        """Where the user's mail lies, as the configuration has it."""
        if user.kind == "mbox":
            return f"mbox:{self.spool(user)}:{self.home(user)}/mail"
        return f"maildir:{self.maildir(user)}"

    def _write(
        self, configuration: str, top: str, account: str, domains: Sequence[str]
    ) -> None:
        spool = self.directory / "spool"
        spool.mkdir()
        spool.chmod(0o1777)
        lines = []
        for user in self.users:
            home = self.home(user)
            home.mkdir(parents=True)
            uid = ""
            if user.uid is not None:
                os.chown(home, user.uid, user.uid)
                uid = str(user.uid)
            lines.append(
                f"{user.name}:{{PLAIN}}{user.password}:{uid}:{uid}::{home}::"
                f"mail={self.location(user)}\n"
            )
        (self.directory / "passwd").write_text("".join(lines))
        listen = "".join(
            f"[[listen]]\nprotocol = {json.dumps(PORTS[name][0])}\n"
            f'endpoint = "tcp:0:interface=127.0.0.1"\ntls = "{PORTS[name][1]}"\n'
            for name in self._names
        )
        configuration = configuration.replace("DIRECTORY", str(self.directory))
        self.file.write_text(
            f'version = 1\nhostname = "{self.hostname}"\nstate = "state"\n'
            f'user = "{account}"\n{top}\n[users]\npasswd = "passwd"\n'
            f"[mail]\ndomains = {json.dumps(list(domains))}\n{listen}{configuration}\n"
        )

    def share(self, other: "Server") -> None:
        """Serve the mail, and the indexes, of another server from the next start on."""
        passwd = (other.directory / "passwd").read_text()
        (self.directory / "passwd").write_text(passwd)
        (other.state / "mailboxes").mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self.state / "mailboxes").rmdir()
        (self.state / "mailboxes").symlink_to(other.state / "mailboxes")

    # -- the process

    def start(self) -> Self:
        """Start it; returns when it serves."""
        self._log_start = len(self.log())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._wrapper, BIN / "twistd", *_TWISTD, self.file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        until(self._serves, f"{self.file} to be served")
        return self

    def _serves(self) -> bool:
        text = self.log(whole=False)
        assert self._process is not None
        assert self._process.poll() is None, f"it ended at once: {text}"
        found = _SERVING.findall(text)
        if len(found) < len(self._names):
            return False
        told = iter(found)
        for name in self._names:
            protocol, tls, _, port = next(told)
            assert (protocol, tls) == PORTS[name]
            self.ports[name] = int(port)
        return True

    def run_to_its_end(self) -> subprocess.CompletedProcess[str]:
        """Start it where that is bound to fail."""
        return subprocess.run(
            [BIN / "twistd", *_TWISTD, self.file],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=self.directory,
            check=False,
        )

    def remove(self) -> None:
        """Take its files away."""
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Its process number."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """Ask it to end; gives its exit status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(PATIENCE)
        self._process = None
        return status

    def kill(self) -> None:
        """End it as a power cut would, but for what the kernel holds."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def resident(self) -> int:
        """Octets of memory that are its own."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        try:
            if self._process is not None:
                self.stop()
        finally:
            if self._process is not None:
                self.kill()
            self.remove()

    # -- the log, and the control command

    def log(self, *, whole: bool = True) -> str:
        """What it logged: ever, or since its last start."""
        if not self._log.exists():
            return ""
        text = self._log.read_text(errors="backslashreplace")
        return text if whole else text[self._log_start :]

    def trouble(self) -> list[str]:
        """Lines of the log that tell of errors."""
        return _TROUBLE.findall(self.log())

    def maildrop(
        self, *arguments: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the ``maildrop`` command on it."""
        return subprocess.run(
            [BIN / "maildrop", "--config", self.file, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def who(self) -> list[dict[str, Any]]:
        """The sessions it tells of."""
        found = self.maildrop("who", "--json")
        assert found.returncode == 0, found.stderr
        sessions: list[dict[str, Any]] = json.loads(found.stdout)
        return sessions

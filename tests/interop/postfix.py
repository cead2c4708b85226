"""A Postfix that runs for tests, on loopback, on ports of its own.

In this file:
    Postfix    the process: start, stop, kill, its log

``smarthost`` and ``front`` say what it is to do.  Everything lies in one directory,
which goes away at the end:

    main.cf  master.cf  dynamicmaps.cf  log  queue/  data/

Needs Debian's postfix, and root.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from tests.interop.ports import free_port
from tests.interop.server import PATIENCE, until

_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
multi_instance_enable = yes
multi_instance_name = postfix-{name}
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
message_size_limit = 100000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
alias_maps =
local_recipient_maps =
"""

_MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
local unix - n n - - local
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix:
    """A Postfix.

    Attributes:
        directory: Where everything lies.
        port: It speaks SMTP there.
        log: Its log.

    Args:
        name: In the name of the directory.
    """

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"postfix-{name}-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self.log = self.directory / "log"
        for each, uid in (("queue", 0), ("data", pwd.getpwnam("postfix").pw_uid)):
            (self.directory / each).mkdir()
            os.chown(self.directory / each, uid, -1)
        facts = {"directory": self.directory, "port": self.port, "name": name}
        (self.directory / "main.cf").write_text(_MAIN.format(**facts))
        (self.directory / "master.cf").write_text(_MASTER.format(**facts))
        (self.directory / "dynamicmaps.cf").write_text("")
        self._process: subprocess.Popen[bytes] | None = None
        self._checked = False

    def configure(self, main: str, master: str = "") -> None:
        """Put lines at the end of main.cf and of master.cf."""
        for name, text in (("main.cf", main), ("master.cf", master)):
            with (self.directory / name).open("a") as file:
                file.write(text + "\n")

    def check(self) -> None:
        """Have it make the directories of its queue, and look at the rest; once."""
        if self._checked:
            return
        self._checked = True
        subprocess.run(
            ["/usr/sbin/postfix", "-c", self.directory, "check"],
            check=True,
            timeout=PATIENCE,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> Self:
        """Start it; returns when it serves."""
        self.check()
        # "postfix start-fg" gives master a session that a signal to ours never reaches.
        self._process = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", "-c", self.directory, "-d"],
            start_new_session=True,
        )
        until(self._serves, "Postfix to serve")
        return self

    def stop(self) -> None:
        """End it, and wait for that."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it, and all that it does, at once."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, number)
            process.wait(PATIENCE)
            until(lambda: not self._left(), "all of Postfix to end")

    def _left(self) -> list[int]:
        """Processes of it: they all work in its queue's directory."""
        return [
            int(path.name)
            for path in Path("/proc").glob("[0-9]*")
            if _works_in(path).startswith(f"{self.directory}/")
        ]

    def logged(self) -> str:
        """Its log."""
        return self.log.read_text() if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def _serves(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.logged()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(4).startswith(b"220")
        except OSError:
            return False


def _works_in(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except OSError:
        return ""  # it has ended

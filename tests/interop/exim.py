"""An Exim that takes mail for a maildrop behind it, on loopback.

In this file:
    Exim    the process, and its log

Debian's package excludes Postfix's; so it is not installed, but unpacked below ``ROOT``
(``tests/interop/run``), and has the account it looks for while it runs.  It takes mail
for ``example.org`` without asking.  No program is set-uid: the daemon only queues, and
what hands over is started by the test, as root.  Everything lies in one directory,
which goes away at the end:

    exim.conf  log/{main,reject,panic}  spool/
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
from tests.interop.server import DOMAIN, PATIENCE, until

ROOT: Final = Path(os.environ.get("MAILDROP_EXIM", "/opt/maildrop-exim"))
_PROGRAM: Final = ROOT / "usr/sbin/exim4"
_ACCOUNT: Final = "Debian-exim"

_CONFIGURATION: Final = """
primary_hostname = front.test
exim_path = {program}
spool_directory = {directory}/spool
log_file_path = {directory}/log/%s
pid_file_path = {directory}/spool/exim.pid
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
queue_only
domainlist local_domains = {domain}
acl_smtp_rcpt = rcpt
smtp_accept_max = 20
message_size_limit = 100M

begin acl
rcpt:
  accept

begin routers
{routers}

begin transports
{transports}

begin retry
* * F,1h,1s
"""


class Exim:
    """A process.

    Attributes:
        directory: Where everything lies.
        port: It speaks SMTP there.

    Args:
        routers: What stands there in its configuration.
        transports: The same.
    """

    def __init__(self, routers: str, transports: str) -> None:
        assert _PROGRAM.exists(), f"{_PROGRAM} is missing: tests/interop/run unpacks it"
        self.directory = Path(tempfile.mkdtemp(prefix="exim-test-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self._configuration = self.directory / "exim.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                directory=self.directory,
                program=_PROGRAM,
                port=self.port,
                domain=DOMAIN,
                routers=routers,
                transports=transports,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._made = False

    def __enter__(self) -> Self:
        try:
            pwd.getpwnam(_ACCOUNT)
        except KeyError:
            command = ["useradd", "--system", "-M", "-d", "/nonexistent", _ACCOUNT]
            subprocess.run(command, check=True, capture_output=True)
            self._made = True
        for name in ("log", "spool"):
            (self.directory / name).mkdir()
            shutil.chown(self.directory / name, _ACCOUNT, _ACCOUNT)
        self._process = subprocess.Popen(
            [_PROGRAM, "-C", self._configuration, "-bdf"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        until(self._serves, "Exim to serve")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._process is not None:
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(PATIENCE)
        finally:
            if self._made:
                command = ["userdel", _ACCOUNT]
                subprocess.run(command, check=True, capture_output=True)
            shutil.rmtree(self.directory)

    def run_queue(self) -> None:
        """Hand over what is due."""
        subprocess.run(
            [_PROGRAM, "-C", self._configuration, "-q"], check=True, timeout=PATIENCE
        )

    def logged(self) -> str:
        """Its log."""
        log = self.directory / "log" / "main"
        return log.read_text(errors="replace") if log.exists() else ""

    def _serves(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.logged()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(4).startswith(b"220")
        except OSError:
            return False

"""A Postfix that takes mail for a maildrop behind it, on loopback.

In this file:
    Front    the process, and the ways in which it hands mail over

It takes mail for ``example.org`` without asking and hands it over: by LMTP, by
``maildrop deliver`` from pipe(8), and by ``maildrop deliver`` as the mailbox_command of
local(8), which only accounts of the system have.  Everything lies in one directory,
which goes away at the end.

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

from tests.interop.dovecot import free_port
from tests.interop.server import PATIENCE, until

#: The account that mail belongs to, and that commands are run as.
ACCOUNT: Final = "mail"

_MAIN: Final = """
compatibility_level = 3.6
myhostname = front.test
mydestination = example.org
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
multi_instance_enable = yes
multi_instance_name = postfix-front
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
recipient_delimiter = +
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
message_size_limit = 100000000
mailbox_size_limit = 0
transport_maps = inline:{{ {transports} }}
piped_destination_recipient_limit = 1
mailbox_command = {maildrop} --config {configuration} deliver
    -f "$SENDER" -a "$EXTENSION"
"""

_MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
lmtp unix - - n - - lmtp
local unix - n n - - local
piped unix - n n - - pipe
  flags=DRX user={account}
  argv={maildrop} --config {configuration} deliver
  -f ${{sender}} -d ${{user}} -a ${{extension}}
"""


class Front:
    """A Postfix in front.

    Args:
        maildrop: The command.
        configuration: Of the maildrop behind.
        lmtp: Its port.
        transports: Addresses, and how mail for them is handed over: ``lmtp`` or
            ``piped``; all others by local(8).
    """

    def __init__(
        self, maildrop: Path, configuration: Path, lmtp: int, transports: dict[str, str]
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="postfix-front-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        for name, uid in (("queue", 0), ("data", pwd.getpwnam("postfix").pw_uid)):
            (self.directory / name).mkdir()
            os.chown(self.directory / name, uid, -1)
        next_hop = {"lmtp": f"lmtp:inet:127.0.0.1:{lmtp}", "piped": "piped:"}
        facts = {
            "directory": self.directory,
            "port": self.port,
            "maildrop": maildrop,
            "configuration": configuration,
            "account": ACCOUNT,
            "transports": ", ".join(
                f"{{ {address} = {next_hop[way]} }}"
                for address, way in transports.items()
            ),
        }
        (self.directory / "main.cf").write_text(_MAIN.format(**facts))
        (self.directory / "master.cf").write_text(_MASTER.format(**facts))
        (self.directory / "dynamicmaps.cf").write_text("")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["/usr/sbin/postfix", "-c", str(self.directory), "start-fg"],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._serves, "Postfix to serve")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(PATIENCE)
        shutil.rmtree(self.directory)

    def logged(self) -> str:
        """Its log."""
        log = self.directory / "log"
        return log.read_text() if log.exists() else ""

    def _serves(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.logged()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(4).startswith(b"220")
        except OSError:
            return False

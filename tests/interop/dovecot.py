"""A Dovecot that runs for tests, on loopback, on ports of its own.

In this file:
    Dovecot    the process: start, stop, its ports, a user's Maildir or mbox

Everything lies in one directory, which goes away at the end:

    dovecot.conf  passwd  dovecot.log  run/  state/  home/Maildir  home/mail  home/inbox

Needs Debian's dovecot-imapd and dovecot-pop3d, and root.
"""

import imaplib
import os
import poplib
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from tests.interop.ports import free_port
from tests.interop.server import PASSWORD, PATIENCE, until

PROGRAM: Final = "/usr/sbin/dovecot"

_CONFIGURATION: Final = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
listen = 127.0.0.1
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
mail_location = {location}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
maildir_stat_dirs = yes
mbox_write_locks = fcntl
passdb {{
  driver = passwd-file
  args = {directory}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/home
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  mailbox Sent {{
    special_use = \\Sent
  }}
}}
{more}
"""


class Dovecot:
    """A server with one user.

    Args:
        kind: ``maildir`` or ``mbox``.
        user: The user's name.
        separator: Between the levels of names.
        more: Put at the end of the configuration.
        account: The system account that owns the mail.
    """

    def __init__(
        self,
        kind: str = "maildir",
        user: str = "maria",
        separator: str = "/",
        more: str = "",
        account: str = "mail",
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="dovecot-test-"))
        self.directory.chmod(0o755)
        self.user = user
        self.home = self.directory / "home"
        self.home.mkdir()
        self.maildir = self.home / "Maildir"
        self.imap, self.pop3 = free_port(), free_port()
        owner = pwd.getpwnam(account)
        self.uid, self.gid = owner.pw_uid, owner.pw_gid
        os.chown(self.home, self.uid, self.gid)
        self.location = (
            f"maildir:{self.maildir}"
            if kind == "maildir"
            else f"mbox:{self.home}/mail:INBOX={self.home}/inbox"
        )
        (self.directory / "passwd").write_text(f"{user}:{{PLAIN}}{PASSWORD}::::::\n")
        self._configuration = self.directory / "dovecot.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                directory=self.directory,
                location=self.location,
                uid=self.uid,
                gid=self.gid,
                imap=self.imap,
                pop3=self.pop3,
                separator=separator,
                more=more,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; returns when it serves."""
        command = [PROGRAM, "-F", "-c", str(self._configuration)]
        self._process = subprocess.Popen(command)
        until(self._serves, "Dovecot to serve")
        return self

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            self.imap_client().logout()
        except OSError:
            return False
        return True

    def log(self) -> str:
        """What it logged."""
        path = self.directory / "dovecot.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """End it; all it has to write is written then."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

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

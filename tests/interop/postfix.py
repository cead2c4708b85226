"""A Postfix that runs for tests, on loopback, on ports that were free.

In this file:
    Postfix    the process: start, stop, kill, its ports, the mail it has taken

It plays a smarthost: TLS is demanded, a login too (Cyrus SASL with its own database of
users), and mail for ``far.example`` is put into one Maildir.  Everything lies in one
directory, which goes away at the end:

    main.cf  master.cf  dynamicmaps.cf  sasl/  sasldb2  certificate.pem  key.pem  log
    queue/  data/  mail/inbox/new

Needs Debian's postfix and sasl2-bin, and root.
"""

import contextlib
import datetime
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from maildrop.tls import self_signed
from tests.interop.dovecot import free_port
from tests.interop.server import PATIENCE, until

DOMAIN: Final = "far.example"
USER: Final = "relay"
PASSWORD: Final = "a password of ours"
_REALM: Final = "smarthost.test"

_MAIN: Final = """
compatibility_level = 3.6
myhostname = smarthost.test
mydestination =
queue_directory = {directory}/queue
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
multi_instance_enable = yes
multi_instance_name = postfix-test
mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{{refused}}}, permit
smtpd_tls_security_level = {security}
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {directory}/key.pem, {directory}/certificate.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_sasl_local_domain = {realm}
cyrus_sasl_config_path = {directory}/sasl
virtual_mailbox_domains = far.example
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:inbox/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
message_size_limit = 100000000
virtual_mailbox_limit = 0
"""
_REFUSED: Final = """
    { nobody@far.example = 550 5.1.1 nobody has that name },
    { later@far.example = 450 4.2.1 not today }
"""

_MASTER: Final = """
127.0.0.1:{starttls} inet n - n - - smtpd
127.0.0.1:{implicit} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""

_SASL: Final = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {directory}/sasldb2
mech_list: {mechanisms}
"""


class Postfix:
    """A smarthost with one user.

    Args:
        mechanisms: What it lets its user log in with.
        security: Postfix's ``smtpd_tls_security_level``.
    """

    def __init__(
        self,
        mechanisms: str = "PLAIN LOGIN SCRAM-SHA-256",
        security: str = "encrypt",
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="postfix-test-"))
        self.directory.chmod(0o755)
        self.starttls, self.implicit = free_port(), free_port()
        self.certificate = self.directory / "certificate.pem"
        self.log = self.directory / "log"
        owner = pwd.getpwnam("mail")
        postfix = pwd.getpwnam("postfix")
        for name, uid in (
            ("queue", 0),
            ("data", postfix.pw_uid),
            ("mail", owner.pw_uid),
        ):
            (self.directory / name).mkdir()
            os.chown(self.directory / name, uid, -1)
        (self.directory / "sasl").mkdir()
        facts = {
            "directory": self.directory,
            "starttls": self.starttls,
            "implicit": self.implicit,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "realm": _REALM,
            "mechanisms": mechanisms,
            "security": security,
            "refused": " ".join(_REFUSED.split()),
        }
        for name, text in (
            ("main.cf", _MAIN),
            ("master.cf", _MASTER),
            ("sasl/smtpd.conf", _SASL),
        ):
            (self.directory / name).write_text(text.format(**facts))
        (self.directory / "dynamicmaps.cf").write_text("")
        self._certify()
        self._enroll(postfix.pw_uid)
        self._process: subprocess.Popen[bytes] | None = None

    def _certify(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = self_signed("localhost", now)
        self.certificate.write_bytes(certificate)
        path = self.directory / "key.pem"
        path.touch(0o600)
        path.write_bytes(key)

    def _enroll(self, uid: int) -> None:
        path = self.directory / "sasldb2"
        subprocess.run(
            ["/usr/sbin/saslpasswd2", "-c", "-p", "-f", path, "-u", _REALM, USER],
            input=PASSWORD.encode(),
            check=True,
            timeout=PATIENCE,
        )
        os.chown(path, uid, -1)

    def start(self) -> Self:
        """Start it; returns when it serves."""
        configuration = ["-c", str(self.directory)]
        subprocess.run(
            ["/usr/sbin/postfix", *configuration, "check"],
            check=True,
            timeout=PATIENCE,
            stderr=subprocess.DEVNULL,
        )
        self._process = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", *configuration, "-d"],
            start_new_session=True,
        )
        until(self._serves, "Postfix to serve")
        return self

    def stop(self) -> None:
        """End it, and wait for that."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)

    def kill(self) -> None:
        """End it, and all that it does, at once."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)

    def mail(self) -> list[bytes]:
        """What it has put into the Maildir."""
        with contextlib.suppress(FileNotFoundError):
            new = self.directory / "mail" / "inbox" / "new"
            return [path.read_bytes() for path in sorted(new.iterdir())]
        return []

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
            with socket.create_connection(("127.0.0.1", self.starttls), 1) as probe:
                return probe.recv(4).startswith(b"220")
        except OSError:
            return False

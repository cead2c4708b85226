"""A Postfix that plays a smarthost: TLS is demanded, and a login.

In this file:
    Smarthost    the process, its ports, the mail it has taken

Its users are in a database of Cyrus SASL's own.  Mail for ``far.example`` is put into
one Maildir, but for those in ``_REFUSED``.  Its directory has, besides what ``postfix``
makes:

    sasl/  sasldb2  certificate.pem  key.pem  mail/inbox/new

Needs Debian's postfix and sasl2-bin, and root.
"""

import contextlib
import datetime
import os
import pwd
import subprocess
from typing import Final

from maildrop.tls import self_signed
from tests.interop.ports import free_port
from tests.interop.postfix import Postfix
from tests.interop.server import PATIENCE

DOMAIN: Final = "far.example"
USER: Final = "relay"
PASSWORD: Final = "a password of ours"
_REALM: Final = "smarthost.test"

_MAIN: Final = """
myhostname = smarthost.test
mydestination =
mynetworks =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{{refused}}}, permit
smtpd_tls_security_level = encrypt
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
"""
_MASTER: Final = """
127.0.0.1:{implicit} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
127.0.0.1:{plain} inet n - n - - smtpd
  -o smtpd_sasl_mechanism_filter=plain
127.0.0.1:{login} inet n - n - - smtpd
  -o smtpd_sasl_mechanism_filter=login
"""
_REFUSED: Final = """
    { nobody@far.example = 550 5.1.1 nobody has that name },
    { later@far.example = 450 4.2.1 not today }
"""

_SASL: Final = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {directory}/sasldb2
mech_list: PLAIN LOGIN SCRAM-SHA-256
"""


class Smarthost(Postfix):
    """A smarthost with one user.

    Attributes:
        implicit: The port where TLS begins with the first octet.
        only: Ports where there is but one mechanism, by its name.
        certificate: Its own, signed by itself.
    """

    def __init__(self) -> None:
        super().__init__("smarthost")
        self.implicit = free_port()
        self.only = {"PLAIN": free_port(), "LOGIN": free_port()}
        self.certificate = self.directory / "certificate.pem"
        owner = pwd.getpwnam("mail")
        (self.directory / "mail").mkdir()
        os.chown(self.directory / "mail", owner.pw_uid, -1)
        (self.directory / "sasl").mkdir()
        facts = {
            "directory": self.directory,
            "implicit": self.implicit,
            "plain": self.only["PLAIN"],
            "login": self.only["LOGIN"],
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "realm": _REALM,
            "refused": " ".join(_REFUSED.split()),
        }
        self.configure(_MAIN.format(**facts), _MASTER.format(**facts))
        (self.directory / "sasl" / "smtpd.conf").write_text(_SASL.format(**facts))
        self._certify()
        self._enroll()

    def _certify(self) -> None:
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = self_signed("localhost", now)
        self.certificate.write_bytes(certificate)
        path = self.directory / "key.pem"
        path.touch(0o600)
        path.write_bytes(key)

    def _enroll(self) -> None:
        path = self.directory / "sasldb2"
        subprocess.run(
            ["/usr/sbin/saslpasswd2", "-c", "-p", "-f", path, "-u", _REALM, USER],
            input=PASSWORD.encode(),
            check=True,
            timeout=PATIENCE,
        )
        os.chown(path, pwd.getpwnam("postfix").pw_uid, -1)

    def mail(self) -> list[bytes]:
        """What it has put into the Maildir."""
        with contextlib.suppress(FileNotFoundError):
            new = self.directory / "mail" / "inbox" / "new"
            return [path.read_bytes() for path in sorted(new.iterdir())]
        return []

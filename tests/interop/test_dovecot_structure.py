"""ENVELOPE, BODY, BODYSTRUCTURE and header fields of the corpus, as Dovecot has them.

A Dovecot of one's own runs in a private directory, on loopback, on a port that the
kernel chose.  It shows a message that says "text/plain; charset=US-ASCII" as written if
it reads the message, and in lower case if it answers from its cache: each item is
asked of a folder of its own, which nobody has read before.

In this file:
    Dovecot       the server: one user and his Maildir
    JUSTIFIED     where we say something else, and by which RFC

Run by ``tests/interop/run``; needs Debian's dovecot-imapd and root.
"""

import contextlib
import imaplib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from maildrop.message.fragments import fields_key, fragment
from tests.interop.ports import free_port

USER = "reader"
PASSWORD = "on loopback, for one test"

_PROGRAM = "/usr/sbin/dovecot"
_PATIENCE = 20.0  # seconds

_CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
listen = 127.0.0.1
protocols = imap
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{directory}/Maildir
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {directory}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""


def available() -> bool:
    """Whether it can be started here: Debian's package, and root for its logins."""
    return Path(_PROGRAM).exists() and os.geteuid() == 0


class Dovecot:
    """A server on loopback, with whose Maildir one can do what one likes."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.directory.chmod(0o755)
        self.maildir = self.directory / "Maildir"
        self.port = free_port()
        owner = pwd.getpwnam("mail")
        self._uid, self._gid = owner.pw_uid, owner.pw_gid
        (self.directory / "passwd").write_text(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        self._configuration = self.directory / "dovecot.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                directory=self.directory, uid=self._uid, gid=self._gid, port=self.port
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE)
        shutil.rmtree(self.directory)

    def fill(self, folder: str, messages: list[bytes]) -> None:
        """Make a folder ("" is INBOX) with these messages, in this order."""
        where = self.maildir / (f".{folder}" if folder else "")
        for name in ("cur", "new", "tmp"):
            (where / name).mkdir(parents=True)
        for number, octets in enumerate(messages):
            name = f"{10**9 + number}.M1P1.host:2,S"
            (where / "cur" / name).write_bytes(octets)
        for path in (self.maildir, *self.maildir.rglob("*")):
            os.chown(path, self._uid, self._gid)

    @contextlib.contextmanager
    def connected(self) -> Iterator[imaplib.IMAP4]:
        """A connection that is logged in; the server is started with the first."""
        if self._process is None:
            command = [_PROGRAM, "-F", "-c", str(self._configuration)]
            self._process = subprocess.Popen(command)
        connection = self._connect(time.monotonic() + _PATIENCE)
        try:
            connection.login(USER, PASSWORD)
            yield connection
        finally:
            connection.logout()

    def _connect(self, deadline: float) -> imaplib.IMAP4:
        while True:
            try:
                return imaplib.IMAP4("127.0.0.1", self.port, timeout=_PATIENCE)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


pytestmark = pytest.mark.skipif(not available(), reason="needs Dovecot, and root")

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
FILES = sorted(CORPUS.glob("*/*.eml"))
ITEMS = (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE")
FIELDS = (b"FROM", b"SUBJECT", b"TO", b"RECEIVED", b"CONTENT-TYPE", b"MESSAGE-ID")

#: Messages of which we say something else, and why.
JUSTIFIED = {
    "cpython/msg_14.eml": (
        'RFC 2045 section 5.2: a Content-Type without subtype ("text") is taken as '
        'text/plain in us-ascii; Dovecot has the empty strings "" "".'
    ),
    "cpython/msg_32.eml": (
        "RFC 2231 section 4: charset* is the charset; us-ascii is the default only "
        "where none is given (RFC 2046 section 4.1.2), Dovecot adds it as a second one."
    ),
    "cpython/msg_33.eml": (
        "RFC 2231 section 4: a boundary may be encoded (boundary*) like any other "
        "parameter; Dovecot sees a multipart without parts."
    ),
}


def canonical(octets: bytes) -> bytes:
    return re.sub(rb"(?<!\r)\n", b"\r\n", octets)


MESSAGES = [canonical(path.read_bytes()) for path in FILES]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        server.fill("", [])
        for item in (*ITEMS, b"HEADER"):
            server.fill(item.decode().title(), MESSAGES)
        yield server


def answers(dovecot: Dovecot, folder: str, item: bytes) -> list[bytes]:
    """What Dovecot says for ``item``, message by message, between the parentheses."""
    with dovecot.connected() as connection:
        connection.select(folder, readonly=True)
        connection.send(b"x FETCH 1:* (%b)\r\n" % item)
        responses: list[bytes] = []
        while not (line := connection.readline()).startswith(b"x "):
            response = line
            while literal := re.search(rb"\{(\d+)\}\r\n\Z", line):
                response += connection.read(int(literal[1]))
                line = connection.readline()
                response += line
            if found := re.match(rb"\* \d+ FETCH \(", response):
                responses.append(response[found.end() : -3])
        assert line.startswith(b"x OK")
    return responses


@pytest.mark.parametrize("item", ITEMS)
def test_structure_is_dovecots(dovecot: Dovecot, item: bytes) -> None:
    said = answers(dovecot, item.decode().title(), item)
    assert len(said) == len(FILES) == 600
    different = {
        f"{path.parent.name}/{path.name}"
        for path, octets, theirs in zip(FILES, MESSAGES, said, strict=True)
        if theirs != item + b" " + fragment(octets, item)
    }
    assert different == (set() if item == b"ENVELOPE" else set(JUSTIFIED))


@pytest.mark.parametrize("without", [False, True], ids=["FIELDS", "FIELDS.NOT"])
def test_header_fields_are_dovecots(dovecot: Dovecot, without: bool) -> None:
    key = fields_key(FIELDS, without=without)
    said = answers(dovecot, "Header", b"BODY.PEEK[%b]" % key)
    different = []
    for path, octets, theirs in zip(FILES, MESSAGES, said, strict=True):
        literal = re.match(rb"BODY\[[^]]*\] (?:\{\d+\}\r\n)", theirs)
        assert literal
        if theirs[literal.end() :] != fragment(octets, key):
            different.append(path.name)
    assert different == []

"""``maildrop demo``: a whole server to try, in a directory of its own.

In this file:
    demo       the command
    prepare    makes the directory: configuration, user, messages

What is in the directory:

    maildrop.toml    the configuration
    passwd           the user
    password         the user's password, readable
    muttrc           settings with which mutt works at once
    home/demo        the user's home, with a Maildir
    message.eml      a message to send
    state            certificate, control socket

Started again in the same directory, the demo goes on where it was.
"""

import os
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from maildrop.admin.demo_mail import messages
from maildrop.admin.outcome import EX_CANTCREAT, EX_UNAVAILABLE, Failed
from maildrop.app.config import Unusable, load
from maildrop.app.foreground import run
from maildrop.app.logging import LineObserver
from maildrop.app.reference import toml
from maildrop.app.surroundings import look
from maildrop.auth import passwords
from maildrop.auth.editing import Editor
from maildrop.auth.entry import Entry
from maildrop.durable import Disk
from maildrop.net.listeners import CannotListen

USER: Final = "demo"
#: Ports tried first, by what a mail program calls them; any free one else.
_PORTS: Final[Mapping[str, tuple[str, str, int]]] = {
    "imap": ("imap", "starttls", 11143),
    "imaps": ("imap", "implicit", 11993),
    "pop3": ("pop3", "starttls", 11110),
    "pop3s": ("pop3", "implicit", 11995),
    "smtp": ("smtp", "starttls", 11025),
    "submission": ("submission", "starttls", 11587),
    "lmtp": ("lmtp", "none", 11024),
}
_MESSAGE: Final = """\
From: you@example.org
To: {user}@localhost
Subject: Hello

Hello from the other side of the socket.
"""
_MUTTRC: Final = """\
# Made by `maildrop demo` at each start: mutt -F {directory}/muttrc
set certificate_file = "{directory}/state/certs/server.pem"
set imap_user = "{user}"
set imap_pass = "{password}"
set folder = "imap://localhost:{imap}/"
set spoolfile = "+INBOX"
set record = "+Sent"
set postponed = "+Drafts"
set mbox_type = Maildir
set from = "{user}@localhost"
set use_from = yes
set smtp_url = "smtp://{user}@localhost:{submission}/"
set smtp_pass = "{password}"
"""
_HELP: Final = """
A mail server for you to try is running on this machine alone.

  user      {user}
  password  {password}
  address   {user}@localhost

{ports}

Send a message (the server is for localhost only and relays nothing):

  curl smtp://127.0.0.1:{smtp} --mail-from you@example.org \\
       --mail-rcpt {user}@localhost -T {directory}/message.eml

Read mail; mutt can also send it:

  curl -u {user}:{password} 'imap://127.0.0.1:{imap}/INBOX;MAILINDEX=1'
  curl -u {user}:{password} --cacert {directory}/state/certs/server.pem \\
       'imaps://localhost:{imaps}/INBOX;MAILINDEX=2'
  curl -u {user}:{password} pop3://127.0.0.1:{pop3}/3
  mutt -F {directory}/muttrc

See who is connected:

  maildrop --config {directory}/maildrop.toml who

Ctrl-C ends it; `maildrop demo {directory}` starts it again.
"""


@click.command()
@click.argument(
    "directory",
    required=False,
    default="maildrop-demo",
    type=click.Path(path_type=Path),
)
def demo(directory: Path) -> None:
    """Run a whole server to try in DIRECTORY (maildrop-demo if not named)."""
    directory = directory.absolute()
    file = directory / "maildrop.toml"
    fresh = not file.exists()
    if fresh:
        prepare(directory)
    reading = load(str(file))
    look(reading, os.geteuid())
    if reading.fatal:
        raise Unusable(reading.problems)
    if fresh:
        click.echo(f"Made {directory}.")
    password = (directory / "password").read_text().strip()

    def started(services: Sequence[Mapping[str, str]]) -> None:
        values = _values(directory, password, services)
        muttrc = _MUTTRC.format(**values).encode()
        Disk().replace_file(str(directory / "muttrc"), muttrc)  # it has the password
        click.echo(_HELP.format(**values))

    log = reading.configuration.log
    try:
        run(reading, LineObserver(sys.stdout, log.format, log.level), started)
    except CannotListen as error:
        raise Failed(EX_UNAVAILABLE, "\n".join(error.problems)) from error


def _values(
    directory: Path, password: str, services: Sequence[Mapping[str, str]]
) -> dict[str, object]:
    """What stands in the texts for people and for mutt."""
    ports: dict[str, str] = {}
    for service in services:
        secure = service["tls"] == "implicit"
        name = service["protocol"] + ("s" if secure else "")
        ports[name] = service["endpoint"].rpartition(":")[2]
    told = {"starttls": "STARTTLS offered", "implicit": "TLS", "none": "no TLS"}
    lines = [
        f"  {name:<10}  127.0.0.1 port {ports[name]:<6} {told[_PORTS[name][1]]}"
        for name in _PORTS
        if name in ports
    ]
    return {
        **dict.fromkeys(_PORTS, "PORT"),
        **ports,
        "user": USER,
        "password": password,
        "directory": directory,
        "ports": "\n".join(lines),
    }


def prepare(directory: Path) -> None:
    """Make everything a demo needs.

    Raises:
        Failed: The directory has something else in it.
    """
    if directory.exists() and any(directory.iterdir()):
        raise Failed(EX_CANTCREAT, f"{directory} is not empty, and no demo")
    directory.mkdir(0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    password = secrets.token_hex(6)
    disk = Disk()
    disk.replace_file(str(directory / "password"), password.encode() + b"\n")
    message = _MESSAGE.format(user=USER).replace("\n", "\r\n").encode()
    disk.replace_file(str(directory / "message.eml"), message)
    stored = passwords.make(password, os.urandom)
    editor = Editor(str(directory / "passwd"), disk)
    if not editor.entries():
        editor.add(Entry(USER, password=stored))
    _fill(directory / "home" / USER / "Maildir", disk)
    # Last: with it the directory counts as made.
    disk.replace_file(str(directory / "maildrop.toml"), _configuration().encode())


def _configuration() -> str:
    home = toml("home/%u")
    lines = [
        "# Made by `maildrop demo`; see conf/maildrop.toml of maildrop for all keys.",
        "version = 1",
        'hostname = "localhost"',
        'state = "state"',
        'user = "root"  # if root tries it',
        "[users]",
        'passwd = "passwd"',
        f"home = {home}",
        "[mail]",
        'domains = ["localhost"]',
        'location = "maildir:~/Maildir"',
    ]
    for protocol, tls, port in _PORTS.values():
        lines += [
            "[[listen]]",
            f"protocol = {toml(protocol)}",
            f"endpoint = {toml(f'tcp:{_free(port)}:interface=127.0.0.1')}",
            f"tls = {toml(tls)}",
        ]
    return "\n".join(lines) + "\n"


def _free(port: int) -> int:
    """``port`` if nobody listens there, else one that the kernel chooses."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise Failed(EX_UNAVAILABLE, "there is no free port on 127.0.0.1")


def _fill(maildir: Path, disk: Disk) -> None:
    """Put the first messages into a new Maildir, as any program would."""
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(0o700, parents=True, exist_ok=True)
    for number, octets in enumerate(messages(USER), 1):
        name = f"{1767225600 + 3600 * number}.M{number}P{os.getpid()}.localhost"
        disk.replace_file(str(maildir / "new" / name), octets.replace(b"\r\n", b"\n"))

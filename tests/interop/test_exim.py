"""Exim in front: over LMTP, and by ``maildrop deliver`` from its pipe transport.

Both sides are configured as ``docs/integrating.md`` says.  Exim as any other server is
here too: it is the one that sends by CHUNKING (RFC 3030).
"""

import os
import pwd
import smtplib
from collections.abc import Iterator

import pytest

from tests.interop.clients import HOST, SENDER, imap_messages, message
from tests.interop.documented import example
from tests.interop.exim import Exim
from tests.interop.ports import free_port
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, Server, User, until

#: An account of the system: the router looks for one.
UID = pwd.getpwnam("mail").pw_uid
USER = User("mail", uid=UID)

BODY = b".\r\n..dots\r\n\r\nFrom me\r\n\r\n" + bytes(range(128, 256)) + b"\r\nend\r\n"
LISTEN = (
    '[[listen]]\nprotocol = "lmtp"\ntls = "none"\n'
    'endpoint = "unix:DIRECTORY/lmtp.sock:mode=666"\n'
    '[[listen]]\nprotocol = "smtp"\n'
    'endpoint = "tcp:{port}:interface=127.0.0.1"\n'
)


@pytest.fixture(scope="module")
def port() -> int:
    """One that stays when the server is started anew."""
    return free_port()


@pytest.fixture(scope="module")
def behind(port: int) -> Iterator[Server]:
    with Server((USER,), LISTEN.format(port=port)) as server:
        yield server
        assert server.trouble() == []


SMTP = """
maildrop_smtp:
  driver = smtp
  hosts = 127.0.0.1
  hosts_override
  allow_localhost
  port = {port}
  hosts_avoid_tls = *
"""


@pytest.fixture(scope="module", params=["lmtp", "pipe", "smtp"])
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def front(behind: Server, port: int, way: str) -> Iterator[Exim]:
    with Reachable() as reachable:
        names = {"= maildrop_lmtp": f"= maildrop_{way}"}
        sock = {"/var/lib/maildrop": behind.directory}
        command = f"{reachable.maildrop} --config {behind.file}"
        program = {"/opt/maildrop/bin/maildrop": command}
        transports = example("Exim", "transports", sock)
        transports += example("Exim", "or as a program", program)
        transports += SMTP.format(port=port)
        with Exim(example("Exim", "routers", names), transports) as exim:
            yield exim


def send(front: Exim, octets: bytes, address: str, sender: str = SENDER) -> None:
    with smtplib.SMTP(HOST, front.port) as client:
        assert client.sendmail(sender, [address], octets, ["BODY=8BITMIME"]) == {}


def came(behind: Server, front: Exim, before: int) -> bytes:
    """The message that came next; waits for it."""

    def more() -> list[bytes]:
        front.run_queue()
        log = front.logged()
        assert f"** {USER.name}@" not in log, log
        return imap_messages(behind, USER)[before:]

    [octets] = until(more, "mail")
    return octets


def test_mail_is_handed_over_as_it_is(behind: Server, front: Exim, way: str) -> None:
    before = len(imap_messages(behind, USER))
    sent = message("handed-over", BODY)
    send(front, sent, USER.address)
    octets = came(behind, front, before)
    lines = octets.split(b"\r\n")
    assert lines[0] == f"Return-Path: <{SENDER}>".encode()
    assert lines[1].startswith(b"Delivered-To: mail")
    assert octets.lower().count(b"\r\ndelivered-to:") == 1
    assert octets.lower().count(b"return-path:") == 1
    assert octets.endswith(sent)
    assert (b"(by uid %d)" % UID in lines[2]) == (way == "pipe")
    assert ("T=maildrop_smtp" in front.logged()) == (way == "smtp")
    assert (" K C=" in front.logged()) == (way == "smtp")  # by BDAT


def test_a_detail_goes_along_over_lmtp(behind: Server, front: Exim, way: str) -> None:
    """The smtp transport has no suffix either, as it is set up here."""
    folder = behind.maildir(USER) / ".Work"
    before = len(imap_messages(behind, USER))
    for name in ("", "cur", "new", "tmp"):
        (folder / name).mkdir(exist_ok=True)
        os.chown(folder / name, UID, UID)
    send(front, message("detail"), USER.address.replace("@", "+work@"))
    if way == "lmtp":
        front.run_queue()
        assert len(list((folder / "new").iterdir())) == 1
    else:
        came(behind, front, before)


def test_the_null_sender_stays_one(behind: Server, front: Exim) -> None:
    before = len(imap_messages(behind, USER))
    send(front, message("null"), USER.address, sender="")
    assert came(behind, front, before).startswith(b"Return-Path: <>\r\n")


def test_who_is_not_there_is_a_bounce(behind: Server, front: Exim) -> None:
    """An account of the system that has no mail here; the report comes back to us."""
    before = len(imap_messages(behind, USER))
    send(front, message("lost"), f"daemon@{DOMAIN}", sender=USER.address)
    report = came(behind, front, before)
    assert f"daemon@{DOMAIN}".encode() in report


def test_what_cannot_be_taken_now_waits_at_exim(
    behind: Server, front: Exim, way: str
) -> None:
    """The server is down; the file of users is away, which is EX_TEMPFAIL."""
    before = len(imap_messages(behind, USER))
    users = behind.directory / "passwd"
    if way != "pipe":
        behind.kill()
    else:
        users.rename(behind.directory / "away")
    try:
        start = len(front.logged())
        send(front, message("waits"), USER.address)
        front.run_queue()
        assert f"== {USER.name}@" in front.logged()[start:]
    finally:
        if way != "pipe":
            behind.start()
        else:
            (behind.directory / "away").rename(users)
    assert came(behind, front, before).endswith(message("waits"))

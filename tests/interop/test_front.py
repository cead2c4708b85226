"""Postfix in front: by LMTP, and by ``maildrop deliver`` from pipe(8) and local(8)."""

import os
import pwd
import re
import smtplib
from collections.abc import Iterator

import pytest

from tests.interop.clients import HOST, SENDER, imap_messages, message
from tests.interop.front import ACCOUNT, Front
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, Server, User, until

UID = pwd.getpwnam(ACCOUNT).pw_uid
LMTP = User("maria", uid=UID)
PIPED = User("vera", uid=UID)
LOCAL = User(ACCOUNT, uid=UID)
WAYS = pytest.mark.parametrize("user", [LMTP, PIPED, LOCAL], ids=lambda u: u.name)

BODY = b".\r\n..dots\r\n\r\nFrom me\r\n\r\n" + bytes(range(128, 256)) + b"\r\nend\r\n"


@pytest.fixture(scope="module")
def behind() -> Iterator[Server]:
    with Server((LMTP, PIPED, LOCAL)) as server:
        yield server
        assert server.trouble() == []


@pytest.fixture(scope="module")
def front(behind: Server) -> Iterator[Front]:
    with Reachable() as reachable:
        ways = {LMTP.address: "lmtp", f"nobody@{DOMAIN}": "piped"}
        ways[PIPED.address] = "piped"
        lmtp = behind.ports["lmtp"]
        with Front(reachable.maildrop, behind.file, lmtp, ways) as postfix:
            yield postfix


def send(front: Front, octets: bytes, *addresses: str, sender: str = SENDER) -> None:
    with smtplib.SMTP(HOST, front.port) as client:
        assert client.sendmail(sender, addresses, octets, ["BODY=8BITMIME"]) == {}


def came(server: Server, user: User, before: int, front: Front) -> list[bytes]:
    """What came after some messages; waits for it."""

    def more() -> list[bytes]:
        log = front.logged()
        assert not re.search(f"to=<{user.address}>.*status=bounced", log), log
        return imap_messages(server, user)[before:]

    return until(more, f"mail for {user.name}")


@WAYS
def test_mail_is_handed_over_as_it_is(behind: Server, front: Front, user: User) -> None:
    before = len(imap_messages(behind, user))
    sent = message(f"to-{user.name}", BODY)
    send(front, sent, user.address)
    [octets] = came(behind, user, before, front)
    lines = octets.split(b"\r\n")
    assert lines[0] == f"Return-Path: <{SENDER}>".encode()
    assert lines[1] == f"Delivered-To: {user.address}".encode()
    assert octets.lower().count(b"\r\ndelivered-to:") == 1
    assert octets.lower().count(b"return-path:") == 1
    assert octets.endswith(sent)
    if user is not LMTP:
        assert lines[2].endswith(f"(by uid {UID})".encode())


@pytest.mark.parametrize("user", [PIPED, LOCAL], ids=lambda u: u.name)
def test_a_detail_names_a_folder(behind: Server, front: Front, user: User) -> None:
    folder = behind.maildir(user) / ".Work"
    imap_messages(behind, user)
    for name in ("", "cur", "new", "tmp"):
        (folder / name).mkdir(exist_ok=True)
        os.chown(folder / name, UID, UID)
    name, _, domain = user.address.partition("@")
    send(front, message("detail"), f"{name}+work@{domain}")
    until(lambda: list((folder / "new").iterdir()), "mail in the folder")
    [path] = (folder / "new").iterdir()
    assert f"Delivered-To: {name}+work@{domain}\n" in path.read_text()


def test_the_null_sender_stays_one(behind: Server, front: Front) -> None:
    before = len(imap_messages(behind, PIPED))
    send(front, message("null"), PIPED.address, sender="")
    [octets] = came(behind, PIPED, before, front)
    assert octets.startswith(b"Return-Path: <>\r\n")


def test_a_user_who_is_not_there_is_a_bounce(behind: Server, front: Front) -> None:
    """EX_NOUSER of sysexits(3) is 5.1.1 to Postfix; the report comes back to us."""
    before = len(imap_messages(behind, LMTP))
    send(front, message("lost"), f"nobody@{DOMAIN}", sender=LMTP.address)
    [octets] = until(lambda: imap_messages(behind, LMTP)[before:], "the report")
    assert b"Status: 5.1.1" in octets
    assert b'no user "nobody"' in octets


def test_what_has_to_be_mended_waits_at_postfix(behind: Server, front: Front) -> None:
    """EX_TEMPFAIL: nobody's mail goes back because of it."""
    before = len(imap_messages(behind, PIPED))
    users = behind.directory / "passwd"
    users.rename(behind.directory / "away")
    try:
        start = len(front.logged())
        send(front, message("waits"), PIPED.address)
        until(lambda: "status=deferred" in front.logged()[start:], "a deferral")
    finally:
        (behind.directory / "away").rename(users)
    [octets] = came(behind, PIPED, before, front)
    assert octets.endswith(message("waits"))

"""Postfix in front: by LMTP, and by ``maildrop deliver`` from pipe(8) and local(8).

Both sides are configured as ``docs/integrating.md`` says.
"""

import os
import pwd
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.clients import HOST, SENDER, imap_messages, message
from tests.interop.documented import example
from tests.interop.front import ACCOUNT, Front
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, Server, User, until

UID = pwd.getpwnam(ACCOUNT).pw_uid
LMTP = User("maria", uid=UID)
PIPED = User("vera", uid=UID)
LOCAL = User(ACCOUNT, uid=UID)

VIRTUAL = "virtual.example"
BODY = b".\r\n..dots\r\n\r\nFrom me\r\n\r\n" + bytes(range(128, 256)) + b"\r\nend\r\n"


@dataclass(frozen=True)
class Pair:
    """A Postfix, and the maildrop behind it."""

    front: Front
    behind: Server


@dataclass(frozen=True)
class Way:
    """How mail gets from Postfix to a user."""

    name: str
    user: User
    address: str
    pair: str


WAYS = [
    Way("mailbox_transport", LMTP, LMTP.address, "by_lmtp"),
    Way("virtual_transport", LMTP, f"maria@{VIRTUAL}", "by_lmtp"),
    Way("pipe", PIPED, PIPED.address, "by_deliver"),
    Way("mailbox_command", LOCAL, LOCAL.address, "by_deliver"),
]
EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


@pytest.fixture(scope="module")
def by_lmtp() -> Iterator[Pair]:
    main = example("LMTP", "main.cf", {})
    front = Front(f"{main}\nvirtual_mailbox_domains = {VIRTUAL}")
    front.check()  # makes the directory of the socket
    queue = front.directory / "queue"
    listen = example("LMTP", "maildrop.toml", {"/var/spool/postfix": queue})
    domains = (DOMAIN, VIRTUAL)
    with Server((LMTP,), listen, domains=domains) as behind, front:
        yield Pair(front, behind)
        assert behind.trouble() == []


@pytest.fixture(scope="module")
def by_deliver() -> Iterator[Pair]:
    with Reachable() as reachable, Server((LMTP, PIPED, LOCAL)) as behind:
        command = f"{reachable.maildrop} --config {behind.file}"
        names = {"/opt/maildrop/bin/maildrop": command}
        to_pipe = f"{PIPED.address}=maildrop:, nobody@{DOMAIN}=maildrop:"
        lmtp = f"{LMTP.address}=lmtp:inet:{HOST}:{behind.ports['lmtp']}"
        transports = {"example.org=maildrop:": f"{to_pipe}, {lmtp}"}
        main = example("mailbox_command", "main.cf", names)
        main += example("pipe", "main.cf", transports)
        master = example("pipe", "master.cf", {**names, "=vmail": f"={ACCOUNT}"})
        with Front(main, master) as front:
            yield Pair(front, behind)
        assert behind.trouble() == []


@pytest.fixture
def pair(way: Way, request: pytest.FixtureRequest) -> Pair:
    found: Pair = request.getfixturevalue(way.pair)
    return found


def send(front: Front, octets: bytes, *addresses: str, sender: str = SENDER) -> None:
    with smtplib.SMTP(HOST, front.port) as client:
        assert client.sendmail(sender, addresses, octets, ["BODY=8BITMIME"]) == {}


def came(pair: Pair, user: User, before: int) -> list[bytes]:
    """What came after some messages; waits for it."""

    def more() -> list[bytes]:
        log = pair.front.logged()
        assert not re.search(f"to=<{user.name}@.*status=bounced", log), log
        return imap_messages(pair.behind, user)[before:]

    return until(more, f"mail for {user.name}")


@EVERY_WAY
def test_mail_is_handed_over_as_it_is(way: Way, pair: Pair) -> None:
    before = len(imap_messages(pair.behind, way.user))
    sent = message(f"by-{way.name}", BODY)
    send(pair.front, sent, way.address)
    [octets] = came(pair, way.user, before)
    lines = octets.split(b"\r\n")
    assert lines[0] == f"Return-Path: <{SENDER}>".encode()
    assert lines[1] == f"Delivered-To: {way.address}".encode()
    assert octets.lower().count(b"\r\ndelivered-to:") == 1
    assert octets.lower().count(b"return-path:") == 1
    assert octets.endswith(sent)
    if way.pair == "by_deliver":
        assert lines[2].endswith(f"(by uid {UID})".encode())


@EVERY_WAY
def test_a_detail_names_a_folder(way: Way, pair: Pair) -> None:
    folder = pair.behind.maildir(way.user) / ".Work"
    imap_messages(pair.behind, way.user)
    for name in ("", "cur", "new", "tmp"):
        (folder / name).mkdir(exist_ok=True)
        os.chown(folder / name, UID, UID)
    before = set((folder / "new").iterdir())
    address = way.address.replace("@", "+work@")
    send(pair.front, message("detail"), address)
    new = until(lambda: set((folder / "new").iterdir()) - before, "mail in the folder")
    [path] = new
    assert f"Delivered-To: {address}\n" in path.read_text()


def test_the_null_sender_stays_one(by_deliver: Pair) -> None:
    before = len(imap_messages(by_deliver.behind, PIPED))
    send(by_deliver.front, message("null"), PIPED.address, sender="")
    [octets] = came(by_deliver, PIPED, before)
    assert octets.startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize("name", ["by_lmtp", "by_deliver"])
def test_a_user_who_is_not_there_is_a_bounce(
    name: str, request: pytest.FixtureRequest
) -> None:
    """EX_NOUSER of sysexits(3) is 5.1.1 to Postfix; the report comes back to us."""
    pair: Pair = request.getfixturevalue(name)
    before = len(imap_messages(pair.behind, LMTP))
    send(pair.front, message("lost"), f"nobody@{DOMAIN}", sender=LMTP.address)
    [octets] = until(lambda: imap_messages(pair.behind, LMTP)[before:], "the report")
    assert b"Status: 5.1.1" in octets
    assert (b'no user "nobody"' in octets) == (name == "by_deliver")


def test_what_has_to_be_mended_waits_at_postfix(by_deliver: Pair) -> None:
    """EX_TEMPFAIL: nobody's mail goes back because of it."""
    front, behind = by_deliver.front, by_deliver.behind
    before = len(imap_messages(behind, PIPED))
    users = behind.directory / "passwd"
    users.rename(behind.directory / "away")
    try:
        start = len(front.logged())
        send(front, message("waits"), PIPED.address)
        until(lambda: "status=deferred" in front.logged()[start:], "a deferral")
    finally:
        (behind.directory / "away").rename(users)
    [octets] = came(by_deliver, PIPED, before)
    assert octets.endswith(message("waits"))


def test_mail_waits_at_postfix_while_the_server_is_down(by_lmtp: Pair) -> None:
    front, behind = by_lmtp.front, by_lmtp.behind
    before = len(imap_messages(behind, LMTP))
    behind.kill()
    start = len(front.logged())
    send(front, message("down"), LMTP.address)
    until(lambda: "status=deferred" in front.logged()[start:], "a deferral")
    behind.start()
    [octets] = came(by_lmtp, LMTP, before)
    assert octets.endswith(message("down"))

"""Real mail, through both stores and both protocols, unchanged.

Every message of ``tests/data/corpus`` is delivered by LMTP and appended by IMAP, and
read back by POP3 and IMAP.  "Unchanged" is meant after the one step that the wire asks
for: every LF without CR becomes CRLF.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.clients import (
    Wire,
    assert_whole,
    deliver,
    imap,
    imap_messages,
    pop3_messages,
)
from tests.interop.server import MAILDIR, MBOX, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
CORPUS = Path(__file__).parent.parent / "data" / "corpus"


def canonical(octets: bytes) -> bytes:
    return re.sub(rb"(?<!\r)\n", b"\r\n", octets)


MESSAGES = [canonical(path.read_bytes()) for path in sorted(CORPUS.glob("*/*.eml"))]


def ended(octets: bytes) -> bytes:
    """What SMTP can carry: RFC 5321 section 4.1.1.4, content ends with CRLF."""
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"


@pytest.fixture(scope="module")
def filled() -> Iterator[Server]:
    with Server() as server:
        assert len(MESSAGES) == 600
        for user in (MAILDIR, MBOX):
            deliver(server, user, *MESSAGES)
        yield server
        assert server.trouble() == []


@USERS
def test_delivered_mail_is_read_back_unchanged(filled: Server, user: User) -> None:
    sent = [ended(octets) for octets in MESSAGES]
    by_imap = imap_messages(filled, user)
    assert_whole(by_imap, sent)
    assert pop3_messages(filled, user) == by_imap
    filled.stop()
    filled.start()  # nothing in memory now
    assert imap_messages(filled, user) == by_imap


@USERS
def test_appended_mail_is_read_back_unchanged(filled: Server, user: User) -> None:
    with Wire(filled, "imap").login(user) as wire:  # imaplib changes a CR without LF
        assert wire.command(b"c", b"CREATE Appended")[-1].startswith(b"c OK")
        for octets in MESSAGES:
            wire.send(b"a APPEND Appended {%d+}\r\n%b\r\n" % (len(octets), octets))
            answer = wire.until(b"a ")[-1]
            assert answer.startswith(b"a OK [APPENDUID "), answer
    assert imap_messages(filled, user, "Appended") == MESSAGES


@USERS
def test_copied_and_moved_mail_is_unchanged(filled: Server, user: User) -> None:
    client = imap(filled, user)
    for name in ("Copied", "Moved"):
        assert client.create(name)[0] == "OK"
    client.select("INBOX")
    assert client.copy("1:*", "Copied")[0] == "OK"
    client.select("Copied")
    assert client.uid("MOVE", "1:*", "Moved")[0] == "OK"
    client.logout()
    assert imap_messages(filled, user, "Moved") == imap_messages(filled, user)
    assert imap_messages(filled, user, "Copied") == []

"""Adding to a full account (RFC 5530 section 3: OVERQUOTA)."""

import pytest

from maildrop.mailbox.quota import Quota
from tests.imap.conftest import ALICE, MESSAGE, Client, Served

FULL = b"a NO [OVERQUOTA] Over quota"


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with two messages, and room for no third."""
    imap.fill(MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    client = imap.selected()
    client.say(b"a CREATE box")
    imap.stores(ALICE).limit(Quota(messages=2))
    return client


def test_append_is_refused(client: Client) -> None:
    answer = client.send(b"a APPEND box {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE))
    assert answer == FULL + b"\r\n"


def test_copy_is_refused_and_copies_nothing(imap: Served, client: Client) -> None:
    assert client.say(b"a COPY 1:2 box") == [FULL]
    assert len(imap.mailbox("box").table) == 0


def test_move_is_not(imap: Served, client: Client) -> None:
    assert client.say(b"a MOVE 1:2 box")[-1].startswith(b"a OK ")
    assert len(imap.mailbox("box").table) == 2


def test_after_an_expunge_there_is_room(client: Client) -> None:
    client.say(b"a STORE 1 +FLAGS (\\Deleted)", b"b EXPUNGE")
    answer = client.send(b"a APPEND box {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE))
    assert answer.startswith(b"a OK ")

"""The mail of an IMAP server as a source, from a maildrop in memory."""

from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.mailbox.outside import Outside, OutsideNumbers, SourceMailbox
from maildrop.migration.connecting import ServerFailed
from maildrop.migration.facts import Maildrop
from maildrop.migration.imap_source import ImapSource
from tests.imap.conftest import Served
from tests.migration.sources import message
from tests.migration.wired import account


@pytest.fixture
def served(tmp_path: Path) -> Served:
    found = Served(str(tmp_path))
    found.fill(*map(message, range(1, 6)))
    client = found.login()
    client.say(
        b'c CREATE "a b" (USE (\\Sent))',
        b"d CREATE &AOk-t&AOk-/2024",
        b"s SUBSCRIBE &AOk-t&AOk-/2024",
        b"o LOGOUT",
    )
    client.lose()
    inbox = found.mailbox()
    inbox.expunge([2], None)
    change = FlagChange(Operation.ADD, SEEN | FLAGGED, ("$Label1",))
    inbox.change_flags([3], change, None)
    return found


@contextmanager
def source(
    served: Served, maildrop: Maildrop | None = None, only: str = ""
) -> Iterator[ImapSource]:
    found = ImapSource(account(served), "alice", lambda: maildrop, only)
    with closing(found):
        yield found


def read(box: SourceMailbox, *known: bytes) -> list[Outside]:
    return list(box.read(lambda key: key not in known))


def test_mailboxes_come_with_names_uses_and_subscriptions(served: Served) -> None:
    with source(served) as found:
        assert found.identity == "imap://alice@127.0.0.1:143"
        assert found.whole
        boxes = [box for box in found.mailboxes() if box.name != "Sent"]
        names = {box.name: box.special_use for box in boxes}
        assert names["INBOX"] == ()
        assert names["a b"] == ("\\Sent",)
        assert "été/2024" in names
        assert boxes[0].name == "INBOX"
        subscribed = found.subscriptions()
        assert subscribed is not None
        assert "été/2024" in subscribed


def test_one_mailbox_may_be_asked_for(served: Served) -> None:
    with source(served, only="a b") as found:
        assert [box.name for box in found.mailboxes()] == ["a b"]
        assert not found.whole
        assert found.subscriptions() == []
    with (
        source(served, only="none") as found,
        pytest.raises(ServerFailed, match="no mailbox none"),
    ):
        found.mailboxes()


def test_messages_come_with_all_that_the_server_tells(served: Served) -> None:
    with source(served) as found:
        inbox = found.mailboxes()[0]
        validity = served.mailbox().table.uid_validity
        assert inbox.messages == 4
        assert inbox.numbers == OutsideNumbers(validity, 6, 0)
        messages = read(inbox)
    assert [it.uid for it in messages] == [1, 3, 4, 5]
    assert [it.content.octets() for it in messages] == [
        message(n) for n in (1, 3, 4, 5)
    ]
    assert messages[1].flags == SEEN | FLAGGED
    assert messages[1].keywords == ("$Label1",)
    assert messages[0].flags == 0
    assert messages[0].date == 1_790_000_000
    assert len({it.key for it in messages}) == 4


def test_what_is_not_wanted_is_not_read(served: Served) -> None:
    with source(served) as found:
        first, *rest = read(found.mailboxes()[0])
        again = read(found.mailboxes()[0], *(it.key for it in rest))
    assert {it.key for it in again} == {first.key, *(it.key for it in rest)}
    assert [it.key for it in again if it.content.size] == [first.key]


def test_unique_ids_of_pop3_go_to_messages_of_the_same_size(served: Served) -> None:
    size = len(message(1))
    sizes = array("Q", [size, size + 1, size, size])
    maildrop = Maildrop(4, sum(sizes), sizes, [b"one", b"odd", b"three", b"four"])
    with source(served, maildrop) as found:
        messages = read(found.mailboxes()[0])
    assert [it.uidl for it in messages] == [b"one", b"", b"three", b"four"]


@pytest.mark.parametrize(
    "answer", [b"", b"* 1 FETCH (UID\r\n", b"* BYE overload\r\n"], ids=repr
)
def test_what_a_server_does_wrong_is_a_failure_that_may_pass(
    served: Served, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with source(served) as found:
        inbox = found.mailboxes()[0]
        assert inbox.messages
        monkeypatch.setattr(served.clients[-1], "send", lambda _: answer)
        with pytest.raises(ServerFailed, match=r"127\.0\.0\.1:143: "):
            read(inbox)
        monkeypatch.setattr(served.clients[-1], "send", lambda _: b"")

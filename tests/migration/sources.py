"""Sources of mail in memory.

In this file:
    Box       a mailbox
    Mail      a source
"""

from collections.abc import Callable, Iterator, Sequence

from maildrop.durable import Content
from maildrop.mailbox.outside import Outside, OutsideNumbers, SourceMailbox


def message(number: int) -> bytes:
    return b"From: a@example.org\r\nSubject: %d\r\n\r\nbody\r\n" % number


class Box:
    """A mailbox; ``breaks`` is the number of the message before which it fails."""

    def __init__(
        self,
        name: str,
        messages: Sequence[Outside],
        numbers: OutsideNumbers | None = None,
        special_use: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.special_use = special_use
        self.numbers = numbers
        self.breaks: Exception | None = None
        self.asked: list[bytes] = []
        self._messages = messages

    @property
    def messages(self) -> int:
        return len(self._messages)

    def read(self, wanted: Callable[[bytes], bool]) -> Iterator[Outside]:
        for one in self._messages:
            if wanted(one.key):
                self.asked.append(one.key)
            yield Outside(
                one.key,
                Content.of(bytes(one.content.octets())),
                one.flags,
                one.keywords,
                one.date,
                one.uid,
                one.uidl,
            )
        if self.breaks is not None:
            raise self.breaks


class Mail:
    """A source."""

    identity = "memory:mail"
    whole = False
    passed_over: Sequence[str] = ()

    def __init__(self, *boxes: Box, subscribed: list[str] | None = None) -> None:
        self._boxes = boxes
        self._subscribed = subscribed

    def mailboxes(self) -> list[SourceMailbox]:
        return list(self._boxes)

    def subscriptions(self) -> list[str] | None:
        return self._subscribed

    def close(self) -> None:
        pass


def plain(*numbers: int) -> list[Outside]:
    """Messages without UIDs."""
    return [Outside(b"k%d" % n, Content.of(message(n)), date=n) for n in numbers]


def numbered(*uids: int) -> list[Outside]:
    """Messages with UIDs."""
    return [
        Outside(b"1 %d" % uid, Content.of(message(uid)), date=uid, uid=uid)
        for uid in uids
    ]

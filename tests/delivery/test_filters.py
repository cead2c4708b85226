"""The chain of filters."""

from collections.abc import Coroutine
from typing import Any

from maildrop.delivery.filters import (
    CONTINUE,
    Action,
    Chain,
    Chained,
    Client,
    Examination,
    Verdict,
)
from maildrop.durable import Content
from maildrop.smtp.wire.path import Path

CLIENT = Client("smtp", "192.0.2.7", 1)
NO = Verdict(Action.REFUSE)
YES = Verdict(Action.ACCEPT)


class Says:
    """Always the same; counts how often it was asked."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.asked = 0
        self.aborted = 0

    def begin(self, client: Client) -> Examination:
        assert client is CLIENT
        return self

    async def connected(self) -> Verdict:
        return await self.sender(None)

    async def hello(self, name: str) -> Verdict:
        return await self.sender(None)

    async def sender(self, path: Path | None) -> Verdict:
        self.asked += 1
        return self.verdict

    async def recipient(self, path: Path) -> Verdict:
        return await self.sender(path)

    async def content(self, trace_id: str, content: Content) -> Verdict:
        return await self.sender(None)

    def abort(self) -> None:
        self.aborted += 1

    def close(self) -> None:
        self.aborted += 1


def now(work: Coroutine[Any, Any, Verdict]) -> Verdict:
    try:
        work.send(None)
    except StopIteration as done:
        assert isinstance(done.value, Verdict)
        return done.value
    raise AssertionError("suspended")


def chain(*filters: Says) -> Chained:
    begun = Chain(filters).begin(CLIENT)
    assert begun is not None
    return begun


def test_without_filters_nobody_is_asked() -> None:
    assert Chain().begin(CLIENT) is None


def test_the_first_refusal_counts_and_ends_the_question() -> None:
    filters = Says(CONTINUE), Says(NO), Says(CONTINUE)
    assert now(chain(*filters).connected()) is NO
    assert [each.asked for each in filters] == [1, 1, 0]


def test_fields_of_all_are_collected() -> None:
    one = Says(Verdict(fields=(("A", "1"),)))
    two = Says(Verdict(fields=(("B", "2"),)))
    verdict = now(chain(one, two).content("id", Content.of(b"")))
    assert verdict.fields == (("A", "1"), ("B", "2"))


def test_who_accepts_a_message_is_asked_again_about_the_next() -> None:
    accepting, other = Says(YES), Says(CONTINUE)
    begun = chain(accepting, other)
    now(begun.sender(None))
    now(begun.recipient(Path("a", "b")))
    now(begun.content("id", Content.of(b"")))
    assert (accepting.asked, other.asked) == (1, 3)
    now(begun.sender(None))
    assert accepting.asked == 2


def test_who_accepts_a_connection_is_not_asked_again() -> None:
    accepting, other = Says(YES), Says(CONTINUE)
    begun = chain(accepting, other)
    now(begun.connected())
    now(begun.hello("x"))
    now(begun.sender(None))
    begun.abort()
    now(begun.sender(None))
    assert (accepting.asked, other.asked) == (1, 4)


def test_abort_goes_to_those_still_asked_and_close_to_all() -> None:
    accepting, other = Says(YES), Says(CONTINUE)
    begun = chain(accepting, other)
    now(begun.sender(None))
    begun.abort()
    assert (accepting.aborted, other.aborted) == (0, 1)
    begun.close()
    assert (accepting.aborted, other.aborted) == (1, 2)

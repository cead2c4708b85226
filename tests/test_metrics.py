"""Counters."""

from maildrop.metrics import Counters


def test_what_was_counted_is_told_and_nothing_else() -> None:
    counters = Counters()
    counters.add("messages_delivered")
    counters.add("messages_delivered", 2)
    assert counters["logins"] == 0
    assert counters.counts() == {"messages_delivered": 3}
    counters.counts().clear()
    assert counters["messages_delivered"] == 3

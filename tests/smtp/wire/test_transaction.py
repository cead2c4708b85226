"""One message to another server, as a conversation (RFC 2920 section 3.1)."""

import pytest

from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.letter import Letter, Receiver
from maildrop.smtp.wire.replies import Replies
from maildrop.smtp.wire.stuffing import Facts
from maildrop.smtp.wire.talk import Deliver, Hear, Send
from maildrop.smtp.wire.transaction import Outcome, transaction
from maildrop.smtp.wire.verdict import Answer, Broken, later

PIPELINING = Capabilities(pipelining=True)
CHUNKING = Capabilities(pipelining=True, chunking=True)
STEPWISE = Capabilities()
CONTENT = "<content>"


def converse(
    replies: str, offered: Capabilities, *, lmtp: bool = False, reset: bool = False
) -> tuple[list[str], Outcome]:
    """What is said, a write a line, when a server answers so and then is gone."""
    letter = Letter(
        "s@x", [Receiver("a@y"), Receiver("b@y")], Facts(9, True, False, False)
    )
    wire = Replies()
    wire.receive_data(replies.replace("|", "\r\n").encode())
    talk = transaction(letter, offered, lmtp=lmtp, reset=reset)
    said: list[str] = []
    try:
        step = next(talk)
        while True:
            if isinstance(step, Send):
                said.append(step.octets.decode().replace("\r\n", "|"))
                step = next(talk)
            elif isinstance(step, Deliver):
                said.append(step.before.decode().replace("\r\n", "|") + CONTENT)
                step = next(talk)
            else:
                assert isinstance(step, Hear)
                reply = wire.next_event()
                if reply is None:
                    step = talk.throw(Broken(later("4.4.2", "gone")))
                else:
                    step = talk.send(reply)
    except StopIteration as end:
        outcome: Outcome = end.value
    assert not wire.pending
    return said, outcome


ENVELOPE = "MAIL FROM:<s@x>|RCPT TO:<a@y>|RCPT TO:<b@y>|"
T, L, N = Answer.TAKEN, Answer.LATER, Answer.NEVER


@pytest.mark.parametrize(
    ("replies", "said", "answers"),
    [
        ("250 1|250 2|250 3|354 go|250 ok|", [CONTENT], [T, T]),
        ("250 1|250 2|550 no|354 go|250 ok|", [CONTENT], [T, N]),
        ("250 1|450 no|250 3|354 go|550 no|", [CONTENT], [L, N]),
        ("250 1|550 no|450 no|503 no|", [], [N, L]),
        ("250 1|550 no|550 no|354 go|554 nobody|", [".|"], [N, N]),
        ("250 1|550 no|550 no|354 go|250 ok|", [".|"], [N, N]),
        ("450 no|503 x|503 x|503 x|", [], [L, L]),
        ("550 no|503 x|503 x|354 go|503 x|", [".|"], [N, N]),
        ("550 no|250 2|250 3|503 x|", [], [N, N]),
        ("250 1|250 2|250 3|451 no|", [], [L, L]),
        ("250 1|250 2|250 3|554 no|", [], [N, N]),
        ("250 1|250 2|550 no|354 go|", [CONTENT], [L, N]),
        ("250 1|250 2|", [], [L, L]),
        ("", [], [L, L]),
        ("421 bye|", [], [L, L]),
        ("250 1|550 no|421 bye|", [], [N, L]),
        ("250 1|250 2|250 3|250 what|", [], [L, L]),
        ("354 what|", [], [L, L]),
        ("250 1|354 what|", [], [L, L]),
        ("250 1|250 2|250 3|354 go|354 what|", [CONTENT], [L, L]),
    ],
)
def test_replies_to_one_write_are_sorted_out(
    replies: str, said: list[str], answers: list[Answer]
) -> None:
    found, outcome = converse(replies, PIPELINING)
    assert found == [ENVELOPE + "DATA|", *said]
    assert [each.answer for each in outcome.verdicts] == answers


def test_an_accepted_recipient_of_a_refused_sender_gets_no_empty_message() -> None:
    """354 where nothing but a lone dot could follow: the connection has to end."""
    said, outcome = converse("550 no|250 2|503 x|354 go|", PIPELINING)
    assert said == [ENVELOPE + "DATA|"]
    assert outcome.broken is not None
    assert [each.answer for each in outcome.verdicts] == [N, N]


@pytest.mark.parametrize("sender", ["550 no", "450 no"])
def test_nobody_is_too_many_for_a_sender_that_was_refused(sender: str) -> None:
    """RFC 5321 section 4.5.3.1.10 is about a transaction, and there is none."""
    _, outcome = converse(f"{sender}|250 2|452 4.5.3 many|503 x|", PIPELINING)
    assert [each.said for each in outcome.verdicts] == [True, True]
    assert outcome.again == []


@pytest.mark.parametrize(
    ("replies", "said", "answers"),
    [
        ("250 1|250 2|250 3|354 go|250 ok|", "marad", [T, T]),
        ("450 no|", "m", [L, L]),
        ("250 1|550 no|550 no|", "mar", [N, N]),
        ("250 1|550 no|250 3|354 go|250 ok|", "marad", [N, T]),
        ("250 1|250 2|250 3|554 no|", "mard", [N, N]),
    ],
)
def test_without_pipelining_each_command_waits(
    replies: str, said: str, answers: list[Answer]
) -> None:
    lines = {
        "m": ["MAIL FROM:<s@x>|"],
        "ma": ["MAIL FROM:<s@x>|", "RCPT TO:<a@y>|"],
        "mar": ["MAIL FROM:<s@x>|", "RCPT TO:<a@y>|", "RCPT TO:<b@y>|"],
        "mard": ["MAIL FROM:<s@x>|", "RCPT TO:<a@y>|", "RCPT TO:<b@y>|", "DATA|"],
    }
    lines["marad"] = [*lines["mard"], CONTENT]
    found, outcome = converse(replies, STEPWISE)
    assert found == lines[said]
    assert [each.answer for each in outcome.verdicts] == answers


@pytest.mark.parametrize(
    ("replies", "said", "answers"),
    [
        ("250 1|250 2|250 3|250 ok|", ["BDAT 9 LAST|" + CONTENT], [T, T]),
        ("250 1|250 2|550 no|452 no|", ["BDAT 9 LAST|" + CONTENT], [L, N]),
        ("250 1|550 no|550 no|", [], [N, N]),
        ("550 no|503 x|503 x|", [], [N, N]),
    ],
)
def test_with_chunking_the_message_is_one_chunk(
    replies: str, said: list[str], answers: list[Answer]
) -> None:
    """RFC 3030 section 2."""
    found, outcome = converse(replies, CHUNKING)
    assert found == [ENVELOPE, *said]
    assert [each.answer for each in outcome.verdicts] == answers


@pytest.mark.parametrize(
    ("replies", "answers", "uncertain"),
    [
        ("250 1|250 2|250 3|354 go|250 a|250 b|", [T, T], False),
        ("250 1|250 2|250 3|354 go|452 a|550 b|", [L, N], False),
        ("250 1|250 2|250 3|354 go|250 a|", [T, L], True),
        ("250 1|250 2|250 3|354 go|250 a|421 bye|", [T, L], False),
        ("250 1|250 2|550 no|354 go|250 a|", [T, N], False),
        ("250 1|550 no|550 no|503 x|", [N, N], False),
        ("250 1|550 no|550 no|354 go|", [N, N], False),
    ],
)
def test_lmtp_answers_for_each_accepted_recipient(
    replies: str, answers: list[Answer], uncertain: bool
) -> None:
    """RFC 2033 section 4.2; a lone dot would be answered by nothing."""
    said, outcome = converse(replies, PIPELINING, lmtp=True)
    assert ".|" not in said
    assert [each.answer for each in outcome.verdicts] == answers
    assert outcome.uncertain is uncertain


def test_a_session_that_was_used_begins_with_rset() -> None:
    said, outcome = converse(
        "250 0|250 1|250 2|250 3|354 go|250 ok|", PIPELINING, reset=True
    )
    assert said[0] == "RSET|" + ENVELOPE + "DATA|"
    assert [each.answer for each in outcome.verdicts] == [T, T]


@pytest.mark.parametrize(
    ("replies", "stale"), [("", True), ("421 bye|", True), ("250 0|", False)]
)
def test_a_session_that_had_gone_stale_is_told(replies: str, stale: bool) -> None:
    _, outcome = converse(replies, PIPELINING, reset=True)
    assert outcome.stale is stale
    assert outcome.broken is not None

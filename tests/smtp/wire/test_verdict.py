"""What a reply means for the message (RFC 5321 section 4.2, RFC 3463)."""

import pytest

from maildrop.smtp.wire.replies import Reply
from maildrop.smtp.wire.verdict import Answer, Phase, verdict


@pytest.mark.parametrize(
    ("reply", "phase", "answer", "code"),
    [
        (Reply(250, ("OK",), "2.1.5"), Phase.END, Answer.TAKEN, "2.1.5"),
        (Reply(250, ("OK",)), Phase.END, Answer.TAKEN, "2.0.0"),
        (Reply(550, ("no",), "5.7.1"), Phase.RCPT, Answer.NEVER, "5.7.1"),
        (Reply(550, ("no",)), Phase.RCPT, Answer.NEVER, "5.1.1"),
        (Reply(550, ("no",)), Phase.MAIL, Answer.NEVER, "5.7.1"),
        (Reply(552, ("big",)), Phase.END, Answer.NEVER, "5.3.4"),
        (Reply(552, ("full",)), Phase.RCPT, Answer.NEVER, "5.2.2"),
        (Reply(450, ("later",)), Phase.RCPT, Answer.LATER, "4.2.1"),
        (Reply(451, ("later",)), Phase.DATA, Answer.LATER, "4.3.0"),
        (Reply(452, ("later",)), Phase.MAIL, Answer.LATER, "4.3.1"),
        (Reply(421, ("bye",)), Phase.MAIL, Answer.LATER, "4.3.2"),
        (Reply(554, ("no",)), Phase.END, Answer.NEVER, "5.0.0"),
        (Reply(499, ("?",)), Phase.END, Answer.LATER, "4.0.0"),
        (Reply(556, ("null MX",)), Phase.RCPT, Answer.NEVER, "5.1.10"),
    ],
)
def test_a_code_and_its_phase_make_a_status(
    reply: Reply, phase: Phase, answer: Answer, code: str
) -> None:
    found = verdict(reply, phase)
    assert (found.answer, found.code) == (answer, code)
    assert found.said
    assert found.text == str(reply)


def test_a_server_is_not_quoted_without_end() -> None:
    assert len(verdict(Reply(550, ("x" * 10_000,)), Phase.END).text) == 500

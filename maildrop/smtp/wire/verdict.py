"""What a reply of another server means for the message.

In this file:
    Phase      where in a session a reply belongs
    Answer     taken, later, never
    Verdict    what became of a recipient, and why
    verdict    the meaning of a reply
    Broken     the session cannot go on

The server's enhanced status code counts (RFC 2034).  Without one, a code of RFC 3463
comes from the reply code and the phase (RFC 5321 section 4.2.2 lists the codes).
"""

import enum
from dataclasses import dataclass
from typing import Final

from maildrop.smtp.wire.replies import Reply

#: Letters of a server's text that are kept.
_TEXT_MAX: Final = 500


class Phase(enum.Enum):
    """Where in a session a reply belongs; the value is for people."""

    CONNECT = "the connection"
    GREETING = "the greeting"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    TLS = "the TLS handshake"
    AUTH = "AUTH"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    ETRN = "ETRN"
    CONTENT = "the message"
    END = "the end of the message"
    QUIT = "QUIT"


class Answer(enum.Enum):
    """What became of a recipient."""

    TAKEN = "taken"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a recipient, and why.

    Attributes:
        answer: In short.
        code: RFC 3463.
        text: For people, one line.
        said: The server said so; else it is what we found.
    """

    answer: Answer
    code: str
    text: str
    said: bool = False


class Broken(Exception):
    """The session cannot go on.

    Attributes:
        verdict: For whatever was to be done with it.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


def later(code: str, text: str) -> Verdict:
    """It is to be tried again, for a reason of ours."""
    return Verdict(Answer.LATER, code, text)


def never(code: str, text: str) -> Verdict:
    """It cannot be sent, for a reason of ours."""
    return Verdict(Answer.NEVER, code, text)


#: Subject and detail for a code, by phase, then for every phase.
_DETAILS: Final[dict[tuple[Phase | None, int], str]] = {
    (Phase.RCPT, 450): "2.1",
    (Phase.RCPT, 452): "2.2",
    (Phase.RCPT, 550): "1.1",
    (Phase.RCPT, 551): "1.6",
    (Phase.RCPT, 552): "2.2",
    (Phase.RCPT, 553): "1.3",
    (Phase.MAIL, 450): "1.8",
    (Phase.MAIL, 550): "7.1",
    (Phase.MAIL, 552): "3.4",
    (Phase.MAIL, 553): "1.7",
    (Phase.END, 552): "3.4",
    (None, 421): "3.2",
    (None, 450): "2.0",
    (None, 451): "3.0",
    (None, 452): "3.1",
    (None, 454): "7.0",
    (None, 455): "5.4",
    (None, 500): "5.2",
    (None, 501): "5.4",
    (None, 502): "5.1",
    (None, 503): "5.1",
    (None, 504): "5.4",
    (None, 521): "3.2",
    (None, 530): "7.0",
    (None, 534): "7.9",
    (None, 535): "7.8",
    (None, 538): "7.11",
    (None, 550): "7.1",
    (None, 552): "2.2",
    (None, 555): "5.4",
    (None, 556): "1.10",
}


def verdict(reply: Reply, phase: Phase) -> Verdict:
    """The meaning of a reply: 2xx and 3xx taken, 4xx later, 5xx never."""
    answer = Answer.TAKEN
    if not reply.positive:
        answer = Answer.NEVER if reply.permanent else Answer.LATER
    code = reply.enhanced
    if not code:
        detail = _DETAILS.get((phase, reply.code)) or _DETAILS.get((None, reply.code))
        code = f"{reply.code // 100 if reply.code >= 400 else 2}.{detail or '0.0'}"
    return Verdict(answer, code, str(reply)[:_TEXT_MAX], said=True)

"""One message to another server: MAIL, RCPT, DATA or BDAT.

In this file:
    Outcome        what came of it
    transaction    the conversation

With PIPELINING (RFC 2920) MAIL, all RCPT and DATA leave in one write.  What comes back
is sorted out as its section 3.1 wants:

    MAIL refused                    its reply counts for all recipients
    RCPT refused                    its reply counts for that one
    DATA refused                    its reply counts for all that were accepted
    354, but nobody was accepted    a lone dot ends the empty message; if MAIL was
                                    refused and a recipient accepted, or with LMTP, that
                                    would deliver it: the connection is closed instead
    the end                         its reply counts for all that were accepted; with
                                    LMTP there is one for each (RFC 2033 section 4.2)

With CHUNKING (RFC 3030) the message is one chunk, which is the last; it leaves when
somebody was accepted.

A connection that breaks leaves those without an answer for later.  Once the message was
under way to its end, the server may have taken it: then it is ``uncertain``, and trying
at once elsewhere would more likely make two of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.letter import Letter, mail, rcpt, unfit, unfit_for
from maildrop.smtp.wire.replies import Reply
from maildrop.smtp.wire.talk import Deliver, Send, Talk, hear
from maildrop.smtp.wire.verdict import Answer, Broken, Phase, Verdict, later, verdict


@dataclass(slots=True)
class Outcome:
    """What came of a transaction.

    Attributes:
        verdicts: For each recipient, in order.
        again: Recipients that the server wants in a transaction of their own (RFC 5321
            section 4.5.3.1.10), by place.
        broken: Why the session is over; None if it can go on.
        uncertain: It broke when the server may have taken the message.
        stale: It broke before the server answered anything.
    """

    verdicts: list[Verdict]
    again: list[int] = field(default_factory=list)
    broken: Verdict | None = None
    uncertain: bool = False
    stale: bool = True


def transaction(
    letter: Letter, offered: Capabilities, *, reset: bool = False, lmtp: bool = False
) -> Talk[Outcome]:
    """Send one message.

    Args:
        letter: The message.
        offered: What the server can do.
        reset: Begin with RSET: the session was used before.
        lmtp: RFC 2033.
    """
    talk = _Transaction(letter, offered, reset=reset, lmtp=lmtp)
    try:
        yield from talk.run()
    except Broken as broken:
        talk.outcome.broken = broken.verdict
        talk.outcome.uncertain &= not broken.verdict.said
        talk.answer_rest(broken.verdict)
    talk.answer_rest(later("4.5.0", "no answer"))
    return talk.finished()


class _Transaction:
    """The state of the conversation: the verdicts so far."""

    def __init__(
        self, letter: Letter, offered: Capabilities, *, reset: bool, lmtp: bool
    ) -> None:
        self._letter = letter
        self._offered = offered
        self._reset = reset
        self._lmtp = lmtp
        self._found: list[Verdict | None] = [None] * len(letter.receivers)
        self._accepted: list[int] = []
        self.outcome = Outcome([])

    def answer_rest(self, found: Verdict) -> None:
        """The same verdict for all that have none."""
        self._found = [each or found for each in self._found]

    def finished(self) -> Outcome:
        """What came of it."""
        self.outcome.verdicts = [each for each in self._found if each is not None]
        return self.outcome

    def run(self) -> Talk[None]:
        """Everything."""
        refusal = unfit(self._letter, self._offered)
        if refusal is not None:
            self.answer_rest(refusal)
        else:
            for at, receiver in enumerate(self._letter.receivers):
                self._found[at] = unfit_for(receiver, self._offered)
        wanted = [at for at, found in enumerate(self._found) if found is None]
        if not wanted:
            return
        ready = yield from self._envelope(wanted)
        if ready:
            yield from self._content()

    def _envelope(self, wanted: list[int]) -> Talk[bool]:
        """RSET, MAIL, RCPT, DATA; whether the message is waited for."""
        commands = list(self._commands(wanted))
        if self._offered.pipelining:
            yield Send(b"".join(command for *_, command in commands))
        refused: Verdict | None = None
        ready = False
        for phase, at, command in commands:
            if not self._offered.pipelining:
                if refused or (phase is Phase.DATA and not self._accepted):
                    break
                yield Send(command)
            reply = yield from hear(phase)
            self.outcome.stale = False
            if phase is Phase.RCPT:
                self._judge(at, reply)
            elif phase is Phase.DATA:
                ready = yield from self._judge_data(reply, refused)
            elif not reply.positive and refused is None:
                refused = verdict(reply, phase)
        if refused is not None:
            self.outcome.again.clear()  # whatever was said: there is no transaction
            self._found = [
                refused if at in wanted else found
                for at, found in enumerate(self._found)
            ]
            return False
        return ready or (self._offered.chunking and bool(self._accepted))

    def _commands(self, wanted: list[int]) -> Iterator[tuple[Phase, int, bytes]]:
        if self._reset:
            yield Phase.RSET, -1, b"RSET\r\n"
        yield Phase.MAIL, -1, mail(self._letter, self._offered)
        for at in wanted:
            receiver = self._letter.receivers[at]
            yield Phase.RCPT, at, rcpt(receiver, self._offered)
        if not self._offered.chunking:
            yield Phase.DATA, -1, b"DATA\r\n"

    def _judge(self, at: int, reply: Reply) -> None:
        """RCPT was answered."""
        if reply.positive:
            self._accepted.append(at)
            return
        self._found[at] = verdict(reply, Phase.RCPT)
        crowded = not reply.enhanced or reply.enhanced.endswith(".5.3")
        if reply.code in {452, 552} and self._accepted and crowded:
            # RFC 5321 section 4.5.3.1.10: too many recipients; 552 is taken for 452.
            code = f"4{reply.enhanced[1:]}" if reply.enhanced else "4.5.3"
            self._found[at] = Verdict(Answer.LATER, code, str(reply), said=True)
            self.outcome.again.append(at)

    def _judge_data(self, reply: Reply, refused: Verdict | None) -> Talk[bool]:
        """DATA was answered; whether the message is waited for."""
        if not reply.positive:
            if refused is None:
                for at in self._accepted:
                    self._found[at] = verdict(reply, Phase.DATA)
            return False
        if self._accepted and refused is None:
            return True
        if refused is not None:
            self.answer_rest(refused)
        if self._accepted or self._lmtp:
            raise Broken(later("4.5.0", f"it refused the envelope, but said {reply}"))
        yield Send(b".\r\n")
        yield from hear(Phase.END)
        return False

    def _content(self) -> Talk[None]:
        """The message, and what is said of it."""
        facts = self._letter.facts
        chunking = self._offered.chunking
        before = b"BDAT %d LAST\r\n" % facts.size if chunking else b""
        yield Deliver(before, not chunking)
        self.outcome.uncertain = True
        if self._lmtp:
            for at in self._accepted:
                reply = yield from hear(Phase.END)
                self._found[at] = verdict(reply, Phase.END)
        else:
            reply = yield from hear(Phase.END)
            for at in self._accepted:
                self._found[at] = verdict(reply, Phase.END)
        self.outcome.uncertain = False

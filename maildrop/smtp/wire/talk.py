"""A conversation with another server, as a generator that knows no connection.

In this file:
    Talk       a conversation: yields steps, gets replies, returns what came of it
    Send       a step: commands to send
    Hear       a step: a reply to wait for; the only one that is answered, with a Reply
    Deliver    a step: the message is to be sent
    Encrypt    a step: TLS is to begin
    Work       a step: something that takes long is to be computed
    hear       waits for a reply
    ask        sends a command and waits for its reply
    SECONDS    how long to wait in each phase

What goes wrong with the connection is thrown into the generator as ``Broken``.  A reply
421 means that the server is closing (RFC 5321 section 3.8), whatever it answers: it is
raised as ``Broken`` too, and so is one that cannot answer what was asked.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Final, NamedTuple, TypeVar

from maildrop.smtp.wire.replies import Reply
from maildrop.smtp.wire.verdict import Broken, Phase, later, verdict


class Send(NamedTuple):
    """Commands to send, with their line ends."""

    octets: bytes


class Hear(NamedTuple):
    """A reply to wait for."""

    phase: Phase


class Deliver(NamedTuple):
    """The message is to be sent.

    Attributes:
        before: What comes before it: the BDAT command.
        dots: It is stuffed, and ended with a dot.
    """

    before: bytes
    dots: bool


class Encrypt(NamedTuple):
    """TLS is to begin; the answer comes when its handshake is over."""


class Work(NamedTuple):
    """Something that takes long is to be computed; its result is kept elsewhere."""

    compute: Callable[[], None]


Step = Send | Hear | Deliver | Encrypt | Work
T = TypeVar("T")
Talk = Generator[Step, Reply | None, T]

#: Seconds to wait, RFC 5321 section 4.5.3.2; CONTENT is the time without progress.
#: What stands not there (TLS, AUTH, RSET, ETRN, QUIT) is shorter or as long as its kin.
SECONDS: Final[Mapping[Phase, float]] = {
    Phase.CONNECT: 30.0,
    Phase.GREETING: 300.0,
    Phase.HELLO: 300.0,
    Phase.STARTTLS: 120.0,
    Phase.TLS: 120.0,
    Phase.AUTH: 120.0,
    Phase.RSET: 20.0,
    Phase.MAIL: 300.0,
    Phase.RCPT: 300.0,
    Phase.DATA: 120.0,
    Phase.ETRN: 300.0,
    Phase.CONTENT: 180.0,
    Phase.END: 600.0,
    Phase.QUIT: 5.0,
}
#: The first digits that a good reply can have in a phase; errors are good everywhere.
_EXPECTED: Final[Mapping[Phase, int]] = {Phase.DATA: 3}


def hear(phase: Phase) -> Talk[Reply]:
    """Wait for a reply.

    Raises:
        Broken: The server closes, or says what cannot answer this.
    """
    reply = yield Hear(phase)
    if reply is None:
        raise TypeError("Hear is answered with a reply")
    if reply.code == 421:
        raise Broken(verdict(reply, phase))
    expected = reply.code // 100 == _EXPECTED.get(phase, 2)
    if reply.positive and not expected and phase is not Phase.AUTH:
        raise Broken(later("4.5.0", f"it answered {phase.value} with {reply}"))
    return reply


def ask(phase: Phase, command: bytes) -> Talk[Reply]:
    """Send a command and wait for its reply."""
    yield Send(command)
    return (yield from hear(phase))

"""SMTP on standard input and output: ``sendmail -bs``.

In this file:
    Pipe        the connection: octets from one descriptor, to another
    HandsIn     what takes messages: the drop directory
    Anybody     what says who gets mail: whoever is named; the server judges later
    converse    the dialogue, from greeting to end

It is the server's session, with its grammar and limits, in the process of who calls,
with the caller's rights.  All it does is done at once, so there is no reactor.

RFC 3461: wishes for reports count for all recipients of a message together.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from maildrop.decisions.trace import TraceIds
from maildrop.delivery.actions import Recipient, ToAddress
from maildrop.delivery.agent import Envelope
from maildrop.delivery.outcome import Outcome
from maildrop.durable import Content, Disk
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.queue.drop import Dropped, put
from maildrop.sendmail.handing_in import Caller, Handed, complete, whole
from maildrop.sendmail.letter import Letter, NoAddress, phrase
from maildrop.sendmail.setting import Setting
from maildrop.smtp.server import SMTPServer
from maildrop.smtp.service import Service, SMTPLimits
from maildrop.smtp.session import Site
from maildrop.smtp.wire.path import Path

#: Octets read at once.
_PIECE = 1 << 16


class Pipe:
    """A connection of two descriptors, as Twisted's protocols want one.

    Args:
        write: Where octets go.
    """

    disconnecting = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, octets: bytes) -> None:
        """Send octets."""
        self._write(octets)

    def writeSequence(self, pieces: Iterable[bytes]) -> None:
        """Send octets."""
        self._write(b"".join(pieces))

    def loseConnection(self) -> None:
        """Read no more."""
        self.disconnecting = True

    abortConnection = loseConnection

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Nobody is slower here than we are."""

    def unregisterProducer(self) -> None:
        """See ``registerProducer``."""

    def pauseProducing(self) -> None:
        """Octets come only when they are asked for."""

    def resumeProducing(self) -> None:
        """See ``pauseProducing``."""

    def getPeer(self) -> UNIXAddress:
        """Somebody on this host."""
        return UNIXAddress(None)

    def getHost(self) -> UNIXAddress:
        """See ``getPeer``."""
        return UNIXAddress(None)


class Anybody:
    """Says who gets mail: whoever is named."""

    async def route(
        self,
        path: Path,
        *,
        sender: Path | None = None,
        outward: bool = False,
        whole: bool = False,
    ) -> Recipient:
        """See ``delivery.routing.Router``."""
        del sender, outward, whole
        return Recipient(path, (ToAddress(path),))

    async def belongs(self, path: Path, account: Account) -> bool:
        """See ``delivery.routing.Router``."""
        del path, account
        return True


class HandsIn:
    """Hands messages in.

    Args:
        setting: Where to.
        who: Who calls.
        disk: The calls that change it.
        now: Seconds since 1970 UTC.
        random: Gives unpredictable octets.
    """

    def __init__(
        self,
        setting: Setting,
        who: Caller,
        disk: Disk,
        now: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._setting = setting
        self._who = who
        self._disk = disk
        self._now = now
        self._random = random

    async def admit(self, recipient: Recipient, octets: int) -> None:
        """Whether there is room is found out later."""

    async def deliver(
        self,
        envelope: Envelope,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        together: bool,
    ) -> list[Outcome]:
        """See ``delivery.agent.Agent``."""
        del together
        try:
            handed = self._hand_in(envelope, content, recipients)
        except MaildropError as error:
            return [Outcome(error)] * len(recipients)
        return [Outcome(id=handed.id())] * len(recipients)

    def _hand_in(
        self, envelope: Envelope, content: Content, recipients: Sequence[Recipient]
    ) -> Handed:
        letter = Letter.read(bytes(content.octets()))
        sender = "" if envelope.sender is None else str(envelope.sender)
        try:
            name = phrase(self._who.name)
        except NoAddress:
            name = ""
        author = sender or str(Path(self._who.login, ""))
        complete(letter, self._setting, author, name, self._now(), self._random)
        dropped = Dropped(
            tuple(str(each.path) for each in recipients),
            sender,
            _wished(recipients),
            envelope.options.ret,
            envelope.options.envelope_id,
            envelope.trace.protocol,
        )
        message = whole(letter, self._setting)
        waits = put(self._setting.drop, dropped, message, self._disk, self._random)
        return Handed(dropped, message, waits)


def _wished(recipients: Sequence[Recipient]) -> tuple[str, ...]:
    """All that some recipient's sender wants to hear of."""
    wishes = {wish for each in recipients for wish in each.notify}
    if len(wishes) > 1:
        wishes.discard("NEVER")
    return tuple(sorted(wishes))


def converse(
    setting: Setting,
    who: Caller,
    read: Callable[[int], bytes],
    write: Callable[[bytes], object],
    disk: Disk,
    *,
    now: Callable[[], float] = time.time,
    random: Callable[[int], bytes] = os.urandom,
) -> None:
    """Speak SMTP until one side has enough.

    Args:
        setting: The settings of sendmail.
        who: Who calls.
        read: Gives up to so many octets, none at the end.
        write: Takes octets.
        disk: The calls that change the disk.
        now: Seconds since 1970 UTC.
        random: Gives unpredictable octets.
    """
    site = Site(
        Service.SMTP,
        setting.hostname,
        Anybody(),
        HandsIn(setting, who, disk, now, random),
        TraceIds(now, random),
        now,
        tempfile.gettempdir(),
        limits=SMTPLimits(message=setting.message, recipients=10_000),
    )
    clock = Clock()
    server = SMTPServer(site, clock)
    pipe = Pipe(write)
    server.transport = pipe
    server.connectionMade()
    while not pipe.disconnecting and (octets := read(_PIECE)):
        server.dataReceived(octets)
        while clock.calls and clock.calls[0].getTime() <= clock.seconds():
            clock.advance(0)  # what was put off in favour of others
    server.connectionLost(Failure(ConnectionDone()))

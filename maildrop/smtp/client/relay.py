"""The way out: takes messages of the queue to other servers.

In this file:
    SMTPRelay    the relays ``smtp`` and ``lmtp``
    Limits       how far it goes in one attempt

An attempt, for the recipients that go the same way (``policy.Routes``):

    1  a session that stands open is used, if there is one; had the server closed it
       meanwhile, that is no failure
    2  the hosts are found (``hosts``), and tried one after the other
    3  a host that cannot be connected, or will not have us, is left for the next
    4  recipients that a host puts off are tried at the next, up to ``Limits.sessions``;
       unless the message may have arrived (``Outcome.uncertain``): then they wait
    5  what is left has the last reason

What a host has said its last word on is settled before others are tried further, in
another transaction or at another host.

A message for more recipients than ``Limits.recipients`` goes in several transactions
of one session, and so do those that a server has too many of (RFC 5321 section
4.5.3.1.10).

Where every exchanger refuses the session itself for good, the mail is given back;
where one of them only could not, it waits.  A host that was configured and will not
have us is a fault of ours, which somebody mends: the mail waits.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from twisted.logger import Logger

from maildrop.queue.entry import Kind, Options, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.client.connection import Connection, Settings
from maildrop.smtp.client.hosts import Host, Unroutable
from maildrop.smtp.client.message import Message, read, seven_bit
from maildrop.smtp.client.policy import NextHop, Routes
from maildrop.smtp.client.pool import Keeping, Pool
from maildrop.smtp.client.sessions import UNASKED, Outside, Sessions, named
from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.letter import Letter, Receiver
from maildrop.smtp.wire.stuffing import Facts
from maildrop.smtp.wire.transaction import Outcome, transaction
from maildrop.smtp.wire.verdict import Answer, Broken, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """How far it goes in one attempt.

    Attributes:
        hosts: Addresses that are tried.
        sessions: Sessions in which the message is sent.
        recipients: Recipients of a transaction; RFC 5321 section 4.5.3.1.8: every
            server takes 100.
    """

    hosts: int = 5
    sessions: int = 2
    recipients: int = 100


@dataclass(slots=True)
class _Way:
    """An attempt for the recipients that go the same way.

    Attributes:
        hop: Where.
        message: What.
        narrow: The same for servers that take no octets above 127, when one was met.
        options: How.
        sender: From whom.
        left: Recipients that no host has said the last word on, by number.
        settled: ``Job.settled``.
        results: What became of those that were not settled before, by number.
        sent: Sessions in which it was sent.
        uncertain: The message may have arrived.
        unreachable: Why no session could be had.
    """

    hop: NextHop
    message: Message
    options: Options
    sender: str
    left: dict[int, Waiting]
    settled: Callable[[Sequence[Result]], Awaitable[None]]
    results: dict[int, Result] = field(default_factory=dict)
    sent: int = 0
    uncertain: bool = False
    unreachable: str = ""
    narrow: Message | None = None

    def letter(self, recipients: Sequence[Waiting], facts: Facts) -> Letter:
        """What is sent to some of them."""
        return Letter(
            self.sender,
            [Receiver(each.address, each.notify, each.original) for each in recipients],
            facts,
            smtputf8=self.options.smtputf8,
            ret=self.options.ret,
            envelope_id=self.options.envelope_id,
        )

    def close(self) -> None:
        """Let go of what was rewritten."""
        if self.narrow is not None and self.narrow is not self.message:
            self.narrow.close()

    async def settle(self) -> None:
        """What a host has said its last word on is on disk when this returns."""
        over = [number for number in self.results if number not in self.left]
        if over:
            await self.settled([self.results.pop(number) for number in over])

    def is_to_go_on(self, limits: Limits) -> bool:
        """Whether another host may still help."""
        return bool(self.left) and not self.uncertain and self.sent < limits.sessions

    def note_outcome(
        self, batch: Sequence[Waiting], outcome: Outcome, connection: Connection
    ) -> None:
        """What became of some of them."""
        self.uncertain = self.uncertain or outcome.uncertain
        host = connection.peer
        for each, verdict in zip(batch, outcome.verdicts, strict=True):
            if verdict.answer is not Answer.LATER:
                del self.left[each.number]
            self._note(each, named(verdict, host), host, connection)

    def refused(self, refusals: Sequence[tuple[Verdict, str]]) -> None:
        """No host has it, for these reasons; for good only if all of them are."""
        if not refusals:
            return
        last, host = refusals[-1]
        final = all(verdict.answer is Answer.NEVER for verdict, _ in refusals)
        if not (final and self.hop.by_mx):
            last = replace(last, answer=Answer.LATER, code=f"4{last.code[1:]}")
            if not self.sent:
                self.unreachable = last.text
        self.note_rest(last, host)

    def note_rest(self, verdict: Verdict, host: str) -> None:
        """The same for all that no host said anything of."""
        for number, each in self.left.items():
            if number not in self.results:
                self._note(each, verdict, host)

    def _note(
        self,
        recipient: Waiting,
        verdict: Verdict,
        host: str,
        connection: Connection | None = None,
    ) -> None:
        kind = Kind.WAITING
        if verdict.answer is Answer.NEVER:
            kind = Kind.FAILED
        elif verdict.answer is Answer.TAKEN and connection is not None:
            kind = self._taken(dsn=connection.capabilities.dsn)
        status = Status(verdict.code, verdict.text, host if verdict.said else "")
        self.results[recipient.number] = Result(recipient.number, kind, status)

    def _taken(self, *, dsn: bool) -> Kind:
        if dsn:
            return Kind.PASSED_ON
        # RFC 2033 section 1: an LMTP server has no queue; what it takes is delivered.
        return Kind.DELIVERED if self.hop.lmtp else Kind.RELAYED


class SMTPRelay:
    """The relays ``smtp`` and ``lmtp``.

    Args:
        hostname: How we call ourselves.
        routes: Where mail goes.
        outside: The world.
        limits: How far one attempt goes.
        keeping: How long sessions stay open.
        settings: How long is waited for answers.
    """

    _log = Logger()

    def __init__(
        self,
        hostname: str,
        routes: Routes,
        outside: Outside,
        *,
        limits: Limits | None = None,
        keeping: Keeping | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._routes = routes
        self._in_thread = outside.in_thread
        self._limits = limits or Limits()
        self._sessions = Sessions(hostname, outside, settings)
        self._pool = Pool(outside.clock, keeping)

    def close(self) -> None:
        """End the sessions that nobody uses."""
        self._pool.close()

    def abort(self) -> None:
        """End all sessions, whatever they do; their mail waits, and none begins."""
        self.close()
        self._sessions.abort()

    async def relay(self, job: Job) -> Attempt:
        """See ``queue.relay.Relay``."""
        ways: dict[NextHop, list[Waiting]] = {}
        results: list[Result] = []
        for each in job.recipients:
            try:
                hop = self._routes.next_hop(each.address.rpartition("@")[2])
            except Unroutable as error:
                found = error.verdict
                status = Status(found.code, found.text)
                results.append(Result(each.number, Kind.FAILED, status))
            else:
                ways.setdefault(hop, []).append(each)
        unreachable = ""
        message = await read(job, self._in_thread)
        try:
            for hop, recipients in ways.items():
                if results:
                    await job.settled(results)
                left = {each.number: each for each in recipients}
                options = job.entry.options
                way = _Way(hop, message, options, job.sender, left, job.settled)
                try:
                    await self._go(way)
                finally:
                    way.close()
                results = list(way.results.values())
                unreachable = unreachable or way.unreachable
        finally:
            message.close()
        return Attempt(results, unreachable=unreachable)

    # -- hosts

    async def _go(self, way: _Way) -> None:
        """Try what there is."""
        while way.left and (kept := self._pool.take(way.hop)) is not None:
            if await self._transactions(way, kept):
                break  # it was used; others had been closed by the server
        if not way.is_to_go_on(self._limits):
            return
        await way.settle()
        try:
            hosts = await self._sessions.hosts(way.hop)
        except Unroutable as error:
            way.refused([(error.verdict, "")])
            return
        refusals: list[tuple[Verdict, str]] = []
        for host in hosts[: self._limits.hosts]:
            await way.settle()
            refusal = await self._try(way, host)
            if refusal is not None:
                refusals.append((refusal, host.name))
            if not way.is_to_go_on(self._limits):
                return
        way.refused(refusals)

    async def _try(self, way: _Way, host: Host) -> Verdict | None:
        """Send it to one host.

        Returns:
            Why no session could be had; None if there was one.
        """
        try:
            connection = await self._sessions.open(way.hop, host)
        except Broken as broken:
            reason = broken.verdict.text
            self._log.info(
                "no session with {host}: {reason}", host=host.name, reason=reason
            )
            return broken.verdict
        await self._transactions(way, connection)
        return None

    # -- transactions

    async def _transactions(self, way: _Way, connection: Connection) -> bool:
        """Send it over one session, which is kept or closed then.

        Returns:
            Whether the session was good for anything; else it had been closed by the
            server while nobody used it.
        """
        used = connection.messages > 0
        pending = list(way.left.values())
        try:
            with self._sessions.using(connection):
                message = await self._fitting(way, connection.capabilities)
                while pending and not connection.lost:
                    await way.settle()
                    batch = pending[: self._limits.recipients]
                    outcome = await self._transaction(way, connection, message, batch)
                    if used and outcome.broken is not None and outcome.stale:
                        return False
                    used = False
                    way.note_outcome(batch, outcome, connection)
                    again = [batch[at] for at in outcome.again]
                    pending = again + pending[len(batch) :]
        except Broken as broken:
            if used:
                return False
            way.note_rest(named(broken.verdict, connection.peer), connection.peer)
        finally:
            self._pool.give(way.hop, connection)
        if pending:
            way.note_rest(named(UNASKED, connection.peer), connection.peer)
        way.sent += 1
        return True

    async def _transaction(
        self,
        way: _Way,
        connection: Connection,
        message: Message,
        batch: Sequence[Waiting],
    ) -> Outcome:
        """Send it to some recipients."""
        talk = transaction(
            way.letter(batch, message.facts),
            connection.capabilities,
            reset=connection.messages > 0,
            lmtp=way.hop.lmtp,
        )
        connection.messages += 1
        outcome = await connection.run(talk, message)
        if outcome.broken is not None:
            connection.close()  # whatever it waits for, it is no QUIT
        return outcome

    async def _fitting(self, way: _Way, offered: Capabilities) -> Message:
        """The message as a server takes it, where it can be made so."""
        if offered.eight_bit or not way.message.facts.eight_bit:
            return way.message
        if way.narrow is None:
            way.narrow = await seven_bit(way.message, self._in_thread)
        return way.narrow

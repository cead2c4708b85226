"""What would become of a message, found out by the code that does it, without effect.

In this file:
    Explanation    what would become of it
    Step           one thing that would be done with it, and why
    Explainer      finds out
    open_explainer that of a configuration

The address goes through the router and the message through the agent, as in a server;
the agent works on a ``delivery.rehearsal``.  Commands are not run, files not written,
other servers and name servers not asked.  Filters are asked as a server asks them.

Errors: what a client would be answered is no error here.  ConfigurationError, and
StorageFailure where a server would answer 4xx, are raised by ``open_explainer`` alone.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from twisted.internet.task import Clock

from maildrop.app.alone import Unwatched, here
from maildrop.app.directory import open_users
from maildrop.app.privileges import Rights
from maildrop.app.relays import open_routes
from maildrop.app.routes import SRS_KEYS, open_router
from maildrop.app.schema import Configuration
from maildrop.app.stores import Stores
from maildrop.delivery.actions import LOCAL, Action, Reason, Recipient, shown
from maildrop.delivery.agent import Agent, Envelope
from maildrop.delivery.filters import Action as Wish, Chain, Chained, Client, Verdict
from maildrop.delivery.placing import Placing
from maildrop.delivery.received import Trace
from maildrop.delivery.rehearsal import Rehearsal, Stored
from maildrop.delivery.routing import Router
from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.queue.entry import Kind, Waiting
from maildrop.smtp import respond
from maildrop.smtp.client.hosts import Unroutable
from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.wire.path import Path

#: What stands in the trace fields of a message that comes from nowhere.
_ID: Final = "0000000000000"
_ACCEPTED: Final = "250 2.1.5 OK"
_STORED: Final = "250 2.0.0 Stored"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that would be done with a message, and why.

    Attributes:
        does: In a few words.
        why: What led to it, in order.
    """

    does: str
    why: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Explanation:
    """What would become of a message.

    Attributes:
        recipient: For whom it is.
        answer: What RCPT would be answered, or MAIL if a filter refused the sender.
        steps: What the address means.
        taken: What the message would be answered; empty if it would not come so far.
        stored: The copies that would be in mailboxes then.
        waiting: Those for whom it would wait in the queue, those who failed among them.
        ways: How it would leave the queue, for each of ``waiting``.
        notes: What else is to be said.
    """

    recipient: str
    answer: str = ""
    steps: list[Step] = field(default_factory=list)
    taken: str = ""
    stored: list[Stored] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Explainer:
    """Finds out.

    Args:
        router: Says what addresses mean.
        rehearsal: Makes a stand-in for mail and queue.
        placing: Says who takes messages out of the queue.
        next_hop: The server for a domain.
        hostname: Ours.
        chain: The filters.
        defer_full: Mail for a full mailbox is to be tried again.
    """

    def __init__(
        self,
        router: Router,
        rehearsal: Callable[[], Rehearsal],
        placing: Placing,
        next_hop: Callable[[str], NextHop],
        hostname: str,
        *,
        chain: Chain | None = None,
        defer_full: bool = False,
    ) -> None:
        self._router = router
        self._rehearsal = rehearsal
        self._placing = placing
        self._next_hop = next_hop
        self._hostname = hostname
        self._chain = chain or Chain()
        self._defer_full = defer_full

    async def explain(
        self,
        recipient: Path,
        sender: Path | None,
        content: Content,
        *,
        octets: int = 0,
        outward: bool = False,
    ) -> Explanation:
        """What would become of a message.

        Args:
            recipient: For whom it is.
            sender: The reverse path.
            content: The message; the caller closes it.
            octets: What the client says its size is (RFC 1870); 0 for nothing.
            outward: The client has logged in, and may send to other domains.
        """
        found = Explanation(str(recipient))
        service = "submission" if outward else "smtp"
        filters = self._chain.begin(Client(service, "127.0.0.1", 0))
        try:
            await self._explain(
                found, filters, recipient, sender, content, octets, outward=outward
            )
        except MaildropError as error:
            found.answer = self._refusal(error)
            found.notes.append(str(error))
        finally:
            if filters is not None:
                filters.close()
        return found

    async def _explain(
        self,
        found: Explanation,
        filters: Chained | None,
        path: Path,
        sender: Path | None,
        content: Content,
        octets: int,
        *,
        outward: bool,
    ) -> None:
        if filters is not None and (
            _refused(found, await filters.connected())
            or _refused(found, await filters.hello(self._hostname))
            or _refused(found, await filters.sender(sender))
        ):
            return
        recipient = await self._router.route(path, sender=sender, outward=outward)
        found.steps = [Step(shown(each), each.why) for each in recipient.actions]
        rehearsal = self._rehearsal()
        agent = Agent(rehearsal, rehearsal, self._placing, defer_full=self._defer_full)
        await agent.admit(recipient, octets)
        if filters is not None and _refused(found, await filters.recipient(path)):
            return
        found.answer = _ACCEPTED
        if filters is not None:
            verdict = await filters.content(_ID, content)
            if verdict.action is Wish.DISCARD:
                found.taken = _STORED
                found.notes.append("a filter discards it")
            elif verdict.action is Wish.REFUSE:
                found.taken = _said(verdict)
                found.notes.append("a filter refuses it")
            if found.taken:
                return
        await self._deliver(found, agent, recipient, sender, content)
        found.stored = rehearsal.stored
        if rehearsal.entry is not None:
            found.waiting = rehearsal.entry.recipients
            found.ways = [await self._way(each, sender) for each in found.waiting]

    async def _deliver(
        self,
        found: Explanation,
        agent: Agent,
        recipient: Recipient,
        sender: Path | None,
        content: Content,
    ) -> None:
        trace = Trace(_ID, "explain", "", "SMTP", "", self._hostname, time.time())
        [outcome] = await agent.deliver(
            Envelope(sender, trace), content, [recipient], together=True
        )
        if outcome.error is None:
            found.taken = _STORED
        else:
            found.taken = self._refusal(outcome.error)
            found.notes.append(str(outcome.error))

    def _refusal(self, error: MaildropError) -> str:
        return str(respond.refusal(error, defer_full=self._defer_full))

    async def _way(self, waiting: Waiting, sender: Path | None) -> str:
        """How a recipient would leave the queue."""
        if waiting.kind is not Kind.WAITING:
            said = waiting.status
            return f"{waiting.kind.value}: {said.code} {said.text}" if said else ""
        if waiting.relay == LOCAL and not waiting.order:
            return await self._routed(waiting, sender)
        if waiting.relay == LOCAL:
            said = waiting.status
            return f"tried again: {said.code} {said.text}" if said else "tried again"
        if waiting.order:
            return f"{waiting.relay} with the rights of the file's owner"
        try:
            hop = self._next_hop(waiting.address.rpartition("@")[2])
        except Unroutable as error:
            return f"fails: {error}"
        return _hop(hop)

    async def _routed(self, waiting: Waiting, sender: Path | None) -> str:
        """What an address that is routed in the queue would mean there."""
        local, _, domain = waiting.address.rpartition("@")
        try:
            meant = await self._router.route(
                Path(local, domain), sender=sender, whole=True
            )
        except MaildropError as error:
            return f"fails: {self._refusal(error)}: {error}"
        return f"routed in the queue, to {_few(meant.actions)}"


def _few(actions: Sequence[Action], most: int = 10) -> str:
    names = [shown(each) for each in actions[:most]]
    more = len(actions) - most
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _hop(hop: NextHop) -> str:
    kind = "lmtp" if hop.lmtp else "smtp"
    where = f"the mail exchangers of {hop.host}" if hop.by_mx else str(hop)
    login = f", logging in as {hop.login.name}" if hop.login is not None else ""
    tls = "implicit" if hop.implicit else hop.tls.value
    return f"by {kind} to {where}, TLS {tls}{login}"


def _said(verdict: Verdict) -> str:
    return f"{verdict.code} {verdict.enhanced} {verdict.text}"


def _refused(found: Explanation, verdict: Verdict) -> bool:
    """Whether a filter refused; notes what it said."""
    if verdict.action is not Wish.REFUSE:
        return False
    found.answer = _said(verdict)
    found.notes.append("a filter refuses it")
    return True


def open_explainer(configuration: Configuration, rights: Rights) -> Explainer:
    """The explainer of a configuration; nothing it does has to wait.

    Args:
        configuration: Says all.
        rights: With which files are read.

    Raises:
        ConfigurationError: Something that was configured cannot be used.
    """
    clock = Clock()
    if not os.path.exists(os.path.join(configuration.state, SRS_KEYS)):
        # They would be made.
        delivery = dataclasses.replace(configuration.delivery, srs=False)
        configuration = dataclasses.replace(configuration, delivery=delivery)
    users = open_users(configuration, clock, reach=rights.as_root)
    router = open_router(configuration, users, clock, rights, now=time.time)
    routes = open_routes(configuration, rights)
    homes = configuration.users.home.partition("%")[0].rstrip("/")
    stores = Stores(configuration.state, homes, rights, configuration.mail.locks)
    post = Post(stores, here, rights.as_owner, Unwatched())

    def has_mail(account: Account) -> bool:
        with rights.as_owner(account):
            return stores.has_mail(account)

    return Explainer(
        router,
        lambda: Rehearsal(post.mail, has_mail),
        Placing(router.is_local, routes.toward),
        routes.next_hop,
        configuration.hostname,
        defer_full=configuration.quota.full == "defer",
    )

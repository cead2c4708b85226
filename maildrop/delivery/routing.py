"""Routing: from a recipient's address to what is to be done.

In this file:
    Router    decides

Order of search in a domain of ours (RFC 5321 section 2.3.11: only we may read a local
part):

    1  an address that we wrote for reports (``srs``): the sender it stands for
    2  virtual aliases, catch-alls last (``virtual``)
    3  a user whose own name has a domain
    4  an alias of the local part, or of what stands before a separator (``aliases``)
    5  a user of the whole name; of the name before a separator, the detail as a folder
    6  that user's ``.forward`` (``forward``)
    7  the user's mailbox
    8  for ``postmaster`` (RFC 5321 section 4.5.1), in any case and every domain of
       ours: the configured user, if nobody is called so

``expansion`` does it; ``actions`` has what comes of it.

Errors: NoSuchUser for a name that nobody has; RelayDenied for a domain that is not
ours; MailLoop for aliases that lead in a circle; AliasUnusable for an alias that asks
for what cannot be done; StorageFailure when files cannot be read.

Most addresses are a user's and nothing more.  That is not searched for each time, but
remembered as long as the same files are loaded and the same account has the name.

Limits: ``sources.Limits``, and the addresses remembered.  An address that means more
than can be found out while a client waits is taken as it is, and routed as a whole when
it is in the queue.

Security: nothing is ever taken for a domain that is not ours unless the caller says
that its client may send there: this is what makes an open relay impossible.  The detail
is a wish: a folder of that name must exist already, and the store checks the name.
"""

from collections.abc import Collection
from operator import is_not
from typing import Final, NamedTuple

from maildrop.delivery.actions import Reason, Recipient, ToAddress, ToMailbox
from maildrop.delivery.address import canonical_domain
from maildrop.delivery.aliases import Aliases
from maildrop.delivery.asking import Asking, ask, elsewhere
from maildrop.delivery.expansion import Expansion, TooLarge
from maildrop.delivery.forward import Forwards, Includes
from maildrop.delivery.owners import Owners
from maildrop.delivery.sources import (
    ALIASES,
    FORWARD,
    Directory,
    Limits,
    Sources,
    Trail,
)
from maildrop.delivery.srs import SRS
from maildrop.delivery.virtual import Virtual
from maildrop.errors import NoSuchUser, RelayDenied
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.mailbox.steps import finished
from maildrop.smtp.wire.path import Path

_ALLOWED: Final = frozenset({ALIASES, FORWARD})
#: Addresses that are remembered.
_KEPT: Final = 10_000
#: Rules of an address that is a user's, and nothing more.
_PLAIN: Final = frozenset({"user", "detail"})


class _Plain(NamedTuple):
    """An address that is a user's, and nothing more.

    Attributes:
        recipient: What it means.
        loaded: The files in which nothing else was said of it.
        account: The user's.
        extension: Separator and detail.
    """

    recipient: Recipient
    loaded: tuple[object, ...]
    account: Account
    extension: str


class Router:
    """Decides for whom mail is taken, and what becomes of it.

    Args:
        users: Who has an address.
        domains: Those whose mail is delivered here; the first is that of addresses
            without one.  An address literal with its brackets may be among them.
        hostname: A domain of ours, too.
        in_thread: Where files are read; None reads them where it is called.
        aliases: Further names; None for none.
        virtual: Addresses that stand for others; None for none.
        forwards: ``.forward`` files of users; None for none.
        includes: Lists in files; None for none.
        owners: Whose rights the administrator's files give; None for nobody's.
        srs: Writes reverse paths of forwarded mail; None leaves them.
        postmaster: Login name or address of who gets the postmaster's mail; "" for
            nobody.
        separators: Characters between user and detail.
        allowed: Where commands and files may be named: ``aliases``, ``forward``,
            ``include``.
        limits: How far an address is followed.
    """

    def __init__(
        self,
        users: Directory,
        domains: Collection[str],
        hostname: str,
        *,
        in_thread: InThread | None = None,
        aliases: Aliases | None = None,
        virtual: Virtual | None = None,
        forwards: Forwards | None = None,
        includes: Includes | None = None,
        owners: Owners | None = None,
        srs: SRS | None = None,
        postmaster: str = "",
        separators: str = "+",
        allowed: Collection[str] = _ALLOWED,
        limits: Limits | None = None,
    ) -> None:
        names = [canonical_domain(name) for name in (*domains, hostname)]
        self._sources = Sources(
            users,
            frozenset(names[:-1]),
            names[-1],
            names[0],
            aliases,
            virtual,
            forwards,
            includes,
            owners,
            srs,
            separators,
            frozenset(allowed),
            bool(postmaster),
        )
        self._in_thread = in_thread
        self._default = names[0]
        self._postmaster = postmaster
        self._limits = limits or Limits()
        self._plain: dict[tuple[str, str], _Plain] = {}

    def is_local(self, domain: str) -> bool:
        """Whether a domain is ours; no domain at all is."""
        return not domain or self._sources.is_local(canonical_domain(domain))

    async def route(
        self,
        path: Path,
        *,
        sender: Path | None = None,
        outward: bool = False,
        whole: bool = False,
    ) -> Recipient:
        """What is to be done with mail for an address.

        Args:
            path: The address.
            sender: The reverse path, None for ``<>``.
            outward: The client may send to other domains.
            whole: However many recipients it means: for those that an action
                ``ToAddress`` calls ``later``.

        Raises:
            RelayDenied: The domain is not ours.
            NoSuchUser: Nobody has the address.
            MailLoop: Aliases lead in a circle.
            AliasUnusable: It is an alias that asks for what cannot be done.
            StorageFailure: Users, aliases or the user's file cannot be read.
        """
        search = self._route(path, sender, outward=outward, whole=whole)
        if self._in_thread is None:
            return finished(search)
        return await elsewhere(search, self._in_thread)

    def route_here(
        self,
        path: Path,
        *,
        sender: Path | None = None,
        outward: bool = False,
        whole: bool = False,
    ) -> Recipient:
        """The same for commands: files are read where it is called."""
        return finished(self._route(path, sender, outward=outward, whole=whole))

    async def belongs(self, path: Path, account: Account) -> bool:
        """Whether an address is a user's, wherever that user's mail goes.

        Raises:
            StorageFailure, AliasUnusable: As ``route``.
        """
        search = self._route(path, None, forwards=False)
        try:
            if self._in_thread is None:
                recipient = finished(search)
            else:
                recipient = await elsewhere(search, self._in_thread)
        except (NoSuchUser, RelayDenied):
            return False
        return any(each.account.name == account.name for each in recipient.mailboxes)

    def _refresh(self) -> Asking[None]:
        for files in (self._sources.virtual, self._sources.aliases):
            if files is not None and files.due():
                yield from ask(files.load)

    def _route(
        self,
        path: Path,
        sender: Path | None,
        *,
        outward: bool = False,
        whole: bool = False,
        forwards: bool = True,
    ) -> Asking[Recipient]:
        yield from self._refresh()
        if not path.domain:
            path = Path(path.local, self._default)
        domain = canonical_domain(path.domain)
        if forwards and (known := self._remembered(path, domain)) is not None:
            return known
        if not self._sources.is_local(domain):
            if not outward:
                raise RelayDenied(f"{domain} is not a domain of ours")
            reason = Reason("elsewhere", f"{domain} is not ours")
            return Recipient(path, (ToAddress(path, why=(reason,)),))
        sources = self._sources if forwards else self._sources.without_forwards()
        expansion = Expansion(sources, self._limits, sender, whole)
        try:
            yield from self._search(expansion, path, domain)
        except TooLarge:
            text = f"over {self._limits.targets} recipients, found out in the queue"
            later = ToAddress(path, later=True, why=(Reason("large", text),))
            return Recipient(path, (later,))
        if not expansion.actions:
            expansion.check_circles(path)
            raise NoSuchUser(f"nobody is called {path}")
        recipient = Recipient(path, tuple(expansion.actions.values()))
        if forwards:
            self._remember(recipient, domain)
        return recipient

    def _loaded(self) -> tuple[object, ...]:
        """Other objects whenever files were read again."""
        virtual, aliases = self._sources.virtual, self._sources.aliases
        return (
            None if virtual is None else virtual.loaded,
            None if aliases is None else aliases.loaded,
        )

    def _remembered(self, path: Path, domain: str) -> Recipient | None:
        """What was found before, if nothing has changed and the user has no file."""
        known = self._plain.get((path.local, path.domain))
        if known is None:
            return None
        sources = self._sources
        found = sources.find(path.local, domain)
        if found is None or found[0] is not known.account:
            return None
        if any(map(is_not, known.loaded, self._loaded())):
            return None
        forwards = sources.forwards
        if forwards is not None:
            file = forwards.remembered(known.account, known.extension)
            if file is None or file[0] is not None:
                return None
        return known.recipient

    def _remember(self, recipient: Recipient, domain: str) -> None:
        """Keep it, if it is one mailbox of one user and no file had a part in it."""
        action = recipient.actions[0]
        if len(recipient.actions) > 1 or not isinstance(action, ToMailbox):
            return
        path = recipient.path
        found = self._sources.find(path.local, domain)
        if found is None or {each.rule for each in action.why} - _PLAIN:
            return
        if len(self._plain) >= _KEPT:
            self._plain.clear()
        key = path.local, path.domain
        self._plain[key] = _Plain(recipient, self._loaded(), *found)

    def _search(self, expansion: Expansion, path: Path, domain: str) -> Asking[None]:
        srs = self._sources.srs
        if srs is not None and srs.is_one(path):
            first = srs.reverse(path)
            yield from expansion.address(
                first, Trail(why=(Reason("srs", f"{path} stands for {first}"),))
            )
            return
        yield from expansion.address(path)
        if (
            not expansion.actions
            and path.local.lower() == "postmaster"
            and self._postmaster
            and domain in {*self._sources.domains, self._sources.hostname}
        ):
            local, _, there = self._postmaster.partition("@")
            reason = Reason("postmaster", f"is {self._postmaster}")
            yield from expansion.name(
                local, canonical_domain(there), Trail(why=(reason,))
            )

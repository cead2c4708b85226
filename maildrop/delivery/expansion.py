"""Expansion: all that follows from one address.

In this file:
    Expansion    the search, and what it found
    TooLarge     it is too much to be done while a client waits

The search goes down from an address; what it has gone through is its trail: names, the
steps for people, the reverse path of a list, the folder each user asked for.

    address  ->  virtual aliases  ->  alias  ->  user's .forward  ->  mailbox
                  each may lead to addresses anew, and to commands, files, lists

A name is not looked up again below itself.  So an alias that has its own name among its
values means the user of that name, a virtual address that stands for itself goes on to
the aliases, and a user whose ``.forward`` leads back to him, over however many steps,
keeps a copy.  A circle of aliases without a user of any of their names is an error.

Errors: NoSuchUser, MailLoop, AliasUnusable of aliases.  What is wrong in a user's own
file harms nobody: what can be done is done, and the mailbox gets a copy.

Security: commands and files come from values of our files only, never from an address
that a client sends.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Final, NoReturn

from twisted.logger import Logger

from maildrop.delivery.actions import (
    INBOX,
    Action,
    Discard,
    Reason,
    ToAddress,
    ToCommand,
    ToFile,
    ToMailbox,
)
from maildrop.delivery.address import canonical_domain, split_detail
from maildrop.delivery.aliases import Alias, AliasUnusable
from maildrop.delivery.asking import Asking, Question, ask
from maildrop.delivery.forward import Forward
from maildrop.delivery.sources import (
    ALIASES,
    FORWARD,
    INCLUDED,
    Limits,
    Place,
    Sources,
    Trail,
)
from maildrop.delivery.values import INCLUDE, Sort, Value, address, sort_of
from maildrop.delivery.virtual import meant
from maildrop.errors import MailLoop
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path

#: Values after which others get a turn.
_SLICE: Final = 200


class TooLarge(Exception):
    """It is too much to be done while a client waits."""


@dataclass(slots=True)
class Expansion:
    """The search for what follows from one address, and what it found.

    Attributes:
        sources: Where.
        limits: How far.
        sender: The reverse path of the message, None for ``<>``.
        whole: However much it is.
        actions: What was found.
    """

    sources: Sources
    limits: Limits
    sender: Path | None = None
    whole: bool = False
    actions: dict[object, Action] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _circles: list[str] = field(default_factory=list)
    _values: int = 0
    _written: Path | None = None

    _log = Logger()

    # -- addresses

    def address(self, path: Path, trail: Trail | None = None) -> Asking[bool]:
        """Add what follows from an address; False if nobody has it."""
        trail = trail or Trail()
        domain = canonical_domain(path.domain)
        sources = self.sources
        if not sources.is_local(domain):
            self._away(path, trail)
            return True
        found = yield from self._virtual(path, domain, trail)
        if found is not None:
            return found
        if domain not in sources.domains and domain != sources.hostname:
            return False  # all its addresses are in the virtual files
        return (yield from self.name(path.local, domain, trail))

    def _away(self, path: Path, trail: Trail) -> None:
        reason = Reason("elsewhere", f"{canonical_domain(path.domain)} is not ours")
        sender = self._outgoing(trail)
        self._add(
            ToAddress(
                path,
                sender,
                forwarded=trail.forwarded,
                rewritten=sender is not None and trail.sender is None,
                why=self._because(trail, reason),
            )
        )

    def _outgoing(self, trail: Trail) -> Path | None:
        """The reverse path for mail that leaves; None for that of the message."""
        srs, sender = self.sources.srs, self.sender
        if trail.sender is not None or not trail.forwarded:
            return trail.sender
        if srs is None or sender is None:
            return None
        if self.sources.is_local(canonical_domain(sender.domain)):
            return None
        if self._written is None:
            self._written = srs.forward(sender)
        return None if self._written == sender else self._written

    def _virtual(self, path: Path, domain: str, trail: Trail) -> Asking[bool | None]:
        """What virtual aliases say; None if nothing."""
        sources = self.sources
        if sources.virtual is None:
            return None
        key = f"{path.local.lower()}@{domain}"
        if f"virtual {key}" in trail.names:
            return None
        name = split_detail(path.local, sources.separators)[0]
        extension = path.local[len(name) :]
        bare = domain in sources.domains or domain == sources.hostname
        found = sources.virtual.find(path.local, domain, (name, extension), bare=bare)
        if found is None:
            return None
        if found.pattern.startswith("@") and sources.is_somebody(path.local, domain):
            return None
        if not self._enter(f"virtual {key}", trail):
            return True
        rule = "catch-all" if found.pattern.startswith("@") else "virtual"
        result = False
        for value in found.values:
            yield from self._breathe()
            reason = Reason(rule, f"{key} -> {value}", found.file, found.line)
            further = trail.further(f"virtual {key}", reason)
            to = meant(value, path, found.detail)
            if to is None:
                self._unusable(f"{found.pattern}: {value} is no address", further)
            if not to.domain:
                to = Path(to.local, sources.default)
            if (yield from self.address(to, further)):
                result = True
            else:
                self._nobody(value, further)
        return result

    # -- names of ours

    def name(self, local: str, domain: str, trail: Trail | None = None) -> Asking[bool]:
        """Add what follows from a name of ours; False if nobody has it.

        Args:
            local: A local part, or a name that stands in a file.
            domain: In canonical form; empty for a name in a file.
            trail: What led here.
        """
        trail = trail or Trail()
        found = self.sources.find(local, domain)
        if found is None or "@" not in found[0].name:  # else no alias hides the user
            alias = self._alias(local, trail)
            if alias is not None:
                return (yield from self._follow(alias, domain, trail))
        if found is None:
            return False
        yield from self._user(*found, trail)
        return True

    def _alias(self, local: str, trail: Trail) -> Alias | None:
        aliases = self.sources.aliases
        if aliases is None:
            return None
        names = (local, split_detail(local, self.sources.separators)[0])
        for name in dict.fromkeys(names):
            if f"alias {name.lower()}" in trail.names:
                if aliases.find(name) is not None:
                    self._circles.append(name.lower())
                continue
            alias = aliases.find(name)
            if alias is not None:
                return alias
        return None

    def _follow(self, alias: Alias, domain: str, trail: Trail) -> Asking[bool]:
        name = f"alias {alias.name}"
        if not self._enter(name, trail):
            return True
        if not self.whole and len(alias.values) > self.limits.targets:
            raise TooLarge
        owners = self.sources.owners
        rights, whose = None, alias.owner
        if owners is not None:
            rights = yield from owners.of(whose.uid, whose.gid)
        doubt = "others can write it" if whose.writable else ""
        place = Place(ALIASES, alias.file, alias.name, rights, doubt=doubt)
        trail = self._owned(alias.name, domain, trail)
        result = False
        for value in alias.values:
            reason = Reason(
                "alias", f"{alias.name} -> {value.text}", place.file, value.line
            )
            further = trail.further(name, reason)
            if (yield from self._value(value, place, further)):
                result = True
            else:
                self._nobody(value.text, further)
        return result

    def _owned(self, name: str, domain: str, trail: Trail) -> Trail:
        """aliases(5): errors of a list go to its owner, if it has one."""
        aliases = self.sources.aliases
        if self.sender is None or aliases is None or name.startswith("owner-"):
            return trail
        owner = aliases.find(f"owner-{name}")
        if owner is None:
            return trail
        path = Path(owner.name, domain or self.sources.default)
        reason = Reason("owner", f"errors go to {path}", owner.file, owner.line)
        return dataclasses.replace(trail, sender=path, why=(*trail.why, reason))

    # -- users

    def _user(self, account: Account, extension: str, trail: Trail) -> Asking[None]:
        """Add what a user wants to be done."""
        folder = extension[1:] or INBOX
        before = dict(trail.folders).get(account.name)
        if before is not None:
            reason = Reason("own address", f"{account.name} keeps a copy")
            folder = before if folder == INBOX else folder
            self._mailbox(account, folder, trail, reason)
            return
        forward = yield from self._forward_of(account, extension)
        reason = Reason.user(account)
        if forward is None:
            self._mailbox(account, folder, trail, reason)
            return
        if forward.doubt:
            why = Reason("forward", f"not followed: {forward.doubt}", forward.path)
            self._log.warn("{user}: {why}", user=account.name, why=str(why))
            self._mailbox(account, folder, trail, reason, why)
            return
        name = f"forward {account.name} {forward.path}"
        if name in self._done:
            return
        self._done.add(name)
        yield from self._obey(account, folder, extension, forward, trail)

    def _forward_of(self, account: Account, extension: str) -> Asking[Forward | None]:
        forwards = self.sources.forwards
        if forwards is None:
            return None
        known = forwards.remembered(account, extension)
        if known is not None:
            return known[0]
        found = yield from ask(lambda: forwards.look(account, extension))
        forwards.remember(account, extension, found)
        return found

    def _obey(
        self,
        account: Account,
        folder: str,
        extension: str,
        forward: Forward,
        trail: Trail,
    ) -> Asking[None]:
        """Do what a user's file says; a copy is kept if some of it cannot be done."""
        place = Place(
            FORWARD,
            forward.path,
            account.name,
            account,
            account,
            detail=extension[1:],
        )
        name = f"forward {account.name}"
        wrong = [f"line {line}: {reason}" for line, reason in forward.problems]
        trail = dataclasses.replace(
            trail,
            folders=(*trail.folders, (account.name, folder)),
            why=(*trail.why, Reason.user(account)),
        )
        values = forward.values
        if len(trail.names) >= self.limits.depth:
            wrong.append("too many names in a row")
            values = ()
        for value in values:
            text = f"{account.name} -> {value.text}"
            further = trail.further(
                name, Reason("forward", text, forward.path, value.line)
            )
            try:
                if not (yield from self._value(value, place, further)):
                    wrong.append(f"line {value.line}: nobody is {value.text}")
            except AliasUnusable as error:
                wrong.append(f"line {value.line}: {error}")
        if wrong:
            self._log.warn(
                "{user}: a copy is kept, for {path}: {wrong}",
                user=account.name,
                path=forward.path,
                wrong="; ".join(wrong[:5]),
            )
            kept = Reason("forward", f"copy kept: {wrong[0]}", forward.path)
            self._mailbox(account, folder, trail, kept)

    def _mailbox(
        self, account: Account, folder: str, trail: Trail, *reasons: Reason
    ) -> None:
        if folder != INBOX:
            reasons = (*reasons, Reason("detail", f"folder {folder}"))
        why = self._because(trail, *reasons)
        self._add(ToMailbox(account, folder, trail.sender, why))

    # -- values

    def _value(self, value: Value, place: Place, trail: Trail) -> Asking[bool]:
        """Add what a value asks for; False if it is nobody's address."""
        yield from self._breathe()
        match sort_of(value.text):
            case Sort.ADDRESS:
                return (yield from self._named(value.text, trail))
            case Sort.MAILBOX:
                return self._plain_mailbox(value.text[1:], trail)
            case Sort.INCLUDE:
                yield from self._include(value.text[len(INCLUDE) :], place, trail)
            case Sort.COMMAND | Sort.FILE:
                self._own(value, place, trail)
            case Sort.UNKNOWN:
                self._unusable(f"{place.name}: {value.text} is not understood", trail)
        return True

    def _named(self, text: str, trail: Trail) -> Asking[bool]:
        path = address(text)
        if path is None:
            self._unusable(f"{text} is no address", trail)
        if path.domain:
            return (yield from self.address(path, trail))
        return (yield from self.name(path.local, "", trail))

    def _plain_mailbox(self, text: str, trail: Trail) -> bool:
        r"""``\name``: the mailbox of that user, whatever aliases and files say."""
        path = address(text)
        if path is None:
            self._unusable(f"\\{text} is no address", trail)
        domain = canonical_domain(path.domain)
        if domain and not self.sources.is_local(domain):
            self._away(path, trail)
            return True
        found = self.sources.find(path.local, domain)
        if found is None:
            return False
        account, extension = found
        folder = extension[1:] or dict(trail.folders).get(account.name, INBOX)
        self._mailbox(account, folder, trail, Reason.user(account))
        return True

    def _own(self, value: Value, place: Place, trail: Trail) -> None:
        """A command or a file: only by those who may, with their own rights."""
        what = value.text
        if what == "/dev/null":
            self._add(Discard(trail.sender, trail.why))
            return
        objection = place.objection(self.sources.allowed)
        if objection or place.rights is None:
            self._unusable(f"{what} in {place.file}: {objection}", trail)
        user = place.user.name if place.user is not None else ""
        if what.startswith("|"):
            self._add(
                ToCommand(
                    what[1:].strip(),
                    place.rights,
                    place.detail,
                    user,
                    trail.sender,
                    trail.why,
                )
            )
        else:
            self._add(ToFile(what, place.rights, user, trail.sender, trail.why))

    def _include(self, path: str, place: Place, trail: Trail) -> Asking[None]:
        name = f"include {path}"
        if name in trail.names:
            self._circles.append(path)
            return
        if not self._enter(name, trail):
            return
        includes, owners = self.sources.includes, self.sources.owners
        reader = place.rights
        if includes is None or owners is None or reader is None:
            self._unusable(f"{place.name}: :include: is not done here", trail)
        user, whole = place.user, self.whole
        found = yield from ask(lambda: includes.look(path, reader, user, whole=whole))
        if found is None:
            self._unusable(f"{place.name}: {path} does not exist", trail)
        if found.uid < 0:
            self._unusable(f"{place.name}: {path}: {found.doubt}", trail)
        values = found.values
        if values is None or (not whole and len(values) > self.limits.targets):
            raise TooLarge
        for problem in found.problems[:20]:
            self._log.warn(
                "{path}:{line}: {reason}",
                path=path,
                line=problem.line,
                reason=problem.reason,
            )
        rights = user or (yield from owners.of(found.uid, found.gid))
        listed = Place(
            INCLUDED, path, place.name, rights, user, found.doubt, place.detail
        )
        for value in values:
            reason = Reason("include", value.text, path, value.line)
            further = trail.further(name, reason)
            if not (yield from self._value(value, listed, further)):
                self._nobody(value.text, further)

    # -- what was found

    def _because(self, trail: Trail, *reasons: Reason) -> tuple[Reason, ...]:
        """All steps; of members of very long lists, which are many, none."""
        few = len(self.actions) <= self.limits.targets
        return trail.because(*reasons) if few else ()

    def _add(self, action: Action) -> None:
        key: object = action
        if isinstance(action, ToAddress):
            path = action.path
            key = path.local, canonical_domain(path.domain)
        if key in self.actions:
            return
        self.actions[key] = action
        if not self.whole and len(self.actions) > self.limits.targets:
            raise TooLarge
        if len(self.actions) > self.limits.members:
            text = f"means over {self.limits.members} recipients"
            self._unusable(text, Trail(why=action.why))

    def _enter(self, name: str, trail: Trail) -> bool:
        """Go on to a name, once; False if it was seen to before."""
        if name in self._done:
            return False
        if len(trail.names) >= self.limits.depth:
            self._unusable(f"more than {self.limits.depth} names in a row", trail)
        self._done.add(name)
        return True

    def _breathe(self) -> Asking[None]:
        """Let others have their turn after some values."""
        self._values += 1
        if self._values % _SLICE == 0:
            yield Question(lambda: None)

    def _nobody(self, value: str, trail: Trail) -> None:
        says = "nobody is {value}: {step}"
        if self._circles:
            says = "{value} leads in a circle: {step}"
        self._log.warn(says, value=value, step=str(trail.why[-1]))

    def _unusable(self, reason: str, trail: Trail) -> NoReturn:
        steps = " -> ".join(map(str, trail.why[-3:]))
        self._log.error("{reason}; by {steps}", reason=reason, steps=steps)
        raise AliasUnusable(reason)

    def check_circles(self, path: Path) -> None:
        """Nothing was found: say so if it is because names lead to each other.

        Raises:
            MailLoop: They do.
        """
        if self._circles:
            text = f"{path}: the aliases lead in a circle at {self._circles[0]}"
            self._log.error("{text}", text=text)
            raise MailLoop(text)

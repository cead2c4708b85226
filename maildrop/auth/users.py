"""The users: who they are, where their mail lies, what they may do.

In this file:
    User        one of them
    Defaults    what a line of the file does not say
    Users       all of them, from passwd-style files

``passwd_file`` watches the files, ``entry`` knows their lines.

A name is looked up as it stands; one without a domain also with the first of our
domains behind it, one in a domain of ours also without it.  ASCII letters count
without their case unless that is switched off.

Errors: StorageFailure: the files cannot be read, so nobody can say who exists.

Limits: users kept parsed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from maildrop.auth import location
from maildrop.auth.entry import BadLine, Entry, Extra, Network, parse, parse_extra
from maildrop.auth.passwd_file import Clock, PasswdFile, fold
from maildrop.auth.stored import problem
from maildrop.auth.system import Numbers, System
from maildrop.errors import ConfigurationError
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.mailbox.quota import Quota


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    Attributes:
        account: Name, home, location and rights.
        password: The password field, scheme included.
        quota: How much mail; None for no limit.
        allow: Services that may be used (``imap``, ``pop3``, ``submission``), None
            for all.
        networks: Where logins may come from, None for anywhere.
        local: Connections without an address are in ``networks``.
        disabled: No logins.
    """

    account: Account
    password: str = field(default="", repr=False)
    quota: Quota | None = None
    allow: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    local: bool = False
    disabled: bool = False

    @property
    def name(self) -> str:
        """The name, as the file has it."""
        return self.account.name


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a line of the file does not say.

    Attributes:
        location: Template of the mail location.
        home: Template of the home directory; empty for none.
        uid: Owner of mail files, None for the server's own.
        gid: Their group.
        quota: How much mail a user may have.
    """

    location: str
    home: str = ""
    uid: int | None = None
    gid: int | None = None
    quota: Quota = field(default_factory=Quota)


#: Largest uid and gid; the number above means "no change" to chown(2).
_NUMBER_MAX: Final = (1 << 32) - 2


class Users:
    """The users of passwd-style files; the first file that has a name counts.

    Args:
        paths: The files.
        defaults: What their lines do not say.
        clock: Time.
        domains: Domains whose users may stand without it in the files.
        case_sensitive: Names that differ in case are different users.
        numbers: uids and gids by name.
        in_thread: Where large files are read; None reads them at once.
        check_every: Seconds between looks at the files.
        keep: Users kept parsed.
        reach: A context in which the files may be read: the rights they need.
    """

    _log = Logger()

    def __init__(
        self,
        paths: Sequence[str],
        defaults: Defaults,
        clock: Clock,
        *,
        domains: Sequence[str] = (),
        case_sensitive: bool = False,
        numbers: Numbers | None = None,
        in_thread: InThread | None = None,
        check_every: float = 1.0,
        keep: int = 10_000,
        reach: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._defaults = defaults
        self._domains = [domain.lower() for domain in domains]
        self._case_sensitive = case_sensitive
        self._numbers = System() if numbers is None else numbers
        self._keep = keep
        self._in_thread = in_thread
        self._parsed: dict[bytes, User | None] = {}
        self._groups: dict[tuple[int, int | None], tuple[int, ...]] = {}
        self._told: set[str] = set()
        self._files = [
            PasswdFile(
                path,
                clock,
                case_sensitive=case_sensitive,
                in_thread=in_thread,
                check_every=check_every,
                changed=self._forget,
                reach=reach,
            )
            for path in paths
        ]

    # -- finding

    def lookup(self, name: str) -> User | None:
        """The user who logs in as ``name``.

        Raises:
            StorageFailure: The files cannot be read.
        """
        user = self._find(name)
        if user is not None:
            return user
        local, domain = location.split_name(name)
        if domain:
            return self._find(local) if domain.lower() in self._domains else None
        if self._domains:
            return self._find(f"{name}@{self._domains[0]}")
        return None

    def address(self, local: str, domain: str) -> User | None:
        """The user who gets mail for an address; ``domain`` may be empty.

        Raises:
            StorageFailure: The files cannot be read.
        """
        return self.lookup(f"{local}@{domain}" if domain else local)

    def names(self) -> Iterator[str]:
        """The names of all users, in the order of the files.

        Raises:
            StorageFailure: The files cannot be read.
        """
        for file in self._files:
            found = file.index()
            for at in found.numbers.values():
                yield found.lines[at].partition(b":")[0].decode()

    def sample(self, number: int) -> str:
        """The password field of some user, the same for the same number; or empty.

        Raises:
            StorageFailure: The files cannot be read.
        """
        for file in self._files:
            lines = file.index().lines
            for step in range(min(8, len(lines))):
                line = lines[(number + step) % len(lines)]
                password = line.split(b":", 2)[1:2]
                if password and not line.startswith(b"#"):
                    return password[0].decode("utf-8", "replace")
        return ""

    def problems(self) -> Iterator[str]:
        """Everything wrong in the files, a line of text each, with file and number."""
        for file in self._files:
            found = file.index()
            for number, reason in found.bad:
                yield f"{file.path}:{number}: {reason}"
            for at in found.numbers.values():
                try:
                    user = self._user(parse(found.lines[at]))
                except ConfigurationError as error:
                    yield f"{file.path}:{at + 1}: {error}"
                    continue
                reason = problem(user.password)
                if reason:
                    yield f"{file.path}:{at + 1}: {reason}"

    def _find(self, name: str) -> User | None:
        key = fold(name, case_sensitive=self._case_sensitive)
        found = None
        for file in self._files:
            known = file.index()  # a new version empties self._parsed
            at = known.numbers.get(key)
            if at is not None:
                found = file, known.lines[at], at
                break
        if found is None:
            return None
        if key in self._parsed:
            return self._parsed[key]
        if len(self._parsed) >= self._keep:
            self._parsed.clear()
            self._groups.clear()
        user = self._parsed[key] = self._read(*found)
        return user

    # -- lines

    def _read(self, file: PasswdFile, line: bytes, at: int) -> User | None:
        try:
            user = self._user(parse(line), f"{file.path}:{at + 1}")
        except ConfigurationError as error:
            file.log_line(at + 1, str(error))
            return None
        reason = problem(user.password)
        if reason:
            file.log_line(at + 1, reason)
        return user

    def _user(self, entry: Entry, source: str = "") -> User:
        extra = parse_extra(entry.extra)
        self._tell_unknown(extra.unknown)
        defaults = self._defaults
        home = location.home(entry.home or defaults.home, entry.name)
        uid = self._number(entry.uid, self._numbers.uid, defaults.uid)
        gid = self._number(entry.gid, self._numbers.gid, defaults.gid)
        account = Account(
            name=entry.name,
            home=home,
            location=location.location(
                extra.mail or defaults.location, entry.name, home
            ),
            uid=uid,
            gid=gid,
            groups=() if uid is None else self._groups_of(uid, gid),
            quota=_quota(defaults.quota, extra),
            source=source,
        )
        return User(
            account,
            entry.password,
            quota=account.quota,
            allow=extra.allow,
            networks=extra.networks,
            local=extra.local,
            disabled=extra.disabled,
        )

    def _forget(self) -> None:
        """A file has changed; the groups that are known count until asked anew."""
        self._parsed.clear()
        known = list(self._groups)
        if self._in_thread is None:
            self._groups.clear()
        elif known:
            asking = self._in_thread(
                lambda: {key: self._numbers.groups(*key) for key in known}
            )
            asking.addCallbacks(self._regroup, self._keep_groups)

    def _regroup(self, found: dict[tuple[int, int | None], tuple[int, ...]]) -> None:
        if any(self._groups.get(key) != groups for key, groups in found.items()):
            self._groups.update(found)
            self._parsed.clear()

    def _keep_groups(self, failure: Failure) -> None:
        self._log.failure("groups of users: not asked anew", failure=failure)

    def _groups_of(self, uid: int, gid: int | None) -> tuple[int, ...]:
        """Asked of the system once: virtual users mostly share one uid."""
        found = self._groups.get((uid, gid))
        if found is None:
            found = self._groups[uid, gid] = self._numbers.groups(uid, gid)
        return found

    @staticmethod
    def _number(
        text: str, named: Callable[[str], int], default: int | None
    ) -> int | None:
        if not text:
            return default
        try:
            number = int(text) if text.isdecimal() else named(text)
        except KeyError:
            raise BadLine(f"no system user or group is named {text}") from None
        if number > _NUMBER_MAX:
            raise BadLine(f"{text} is too large for a uid or gid")
        return number

    def _tell_unknown(self, keys: Sequence[str]) -> None:
        for key in keys:
            if key not in self._told and len(self._told) < 100:
                self._told.add(key)
                self._log.info("users: extra field {key} has no meaning here", key=key)


def _quota(default: Quota, extra: Extra) -> Quota | None:
    """The limits of a user; None for none."""
    octets = default.octets if extra.quota is None else extra.quota
    messages = default.messages
    if extra.quota_messages is not None:
        messages = extra.quota_messages
    return replace(default, octets=octets, messages=messages) or None

"""The judge of credentials, for all protocols.

In this file:
    Authenticator    takes a name and a password, gives an account or refuses
    Directory        whom it asks about users
    Bounds           its limits

An attempt goes: remembered as right -> account at once, without waiting for anything;
else wait as ``throttle`` says -> check, in a thread -> on failure answer when the time
that ``throttle`` sets is over.

Security: whether a name exists shows neither in the answer nor in its time: a check is
made in any case, against the password field of some other user when there is none of
that name, and a refusal comes a set time after the check began.  The log has the name
and the source, never the password.  What the account may do is looked at only after
the password was right.

Errors: AuthenticationFailed, AccountDisabled: refused.  TemporaryError: not judged;
too much to do, or the users cannot be read.
"""

import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from maildrop.auth import crypt3, digests, passwords
from maildrop.auth.passwd_file import fold
from maildrop.auth.stored import is_locked
from maildrop.auth.throttle import Throttle
from maildrop.auth.users import User
from maildrop.auth.verified import Verified
from maildrop.decisions.recorder import SILENT, Noting
from maildrop.errors import AccountDisabled, AuthenticationFailed, TemporaryError
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.metrics import Counters
from maildrop.sasl import mechanisms
from maildrop.sasl.exchange import Credentials, Exchange, Outcome, Proven, Refused
from maildrop.sasl.saslprep import prepared
from maildrop.sasl.scram import ScramKeys

Random = Callable[[int], bytes]

#: What an unknown user's password is checked against in an empty file; of the cost of
#: the default scheme, and made of no password.
_NOBODY: Final = (
    f"{{ARGON2ID}}$argon2id$v=19$m={crypt3.ARGON2_MEMORY},t={crypt3.ARGON2_TIME},"
    f"p={crypt3.ARGON2_LANES}$bm9ib2R5IGlzIGhlcmU$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
_NAME_LOGGED: Final = 128


class Directory(Protocol):
    """Whom the authenticator asks about users; see ``users.Users``."""

    def lookup(self, name: str) -> User | None:
        """The user who logs in as ``name``."""

    def sample(self, number: int) -> str:
        """The password field of some user, the same for the same number."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of an authenticator.

    Attributes:
        queue: Password checks under way or waiting for a thread.
        waiting: Attempts held back to slow guessing.
        name: Octets of a name.
        password: Octets of a password.
    """

    queue: int = 1000
    waiting: int = 10_000
    name: int = 255
    password: int = 1024


class Authenticator:
    """Judges credentials.

    Args:
        users: The users.
        throttle: Slows guessing.
        verified: Remembers what was right.
        clock: Time.
        in_thread: Where slow password schemes run.
        key: Octets that nobody else knows, others at each start.
        cleartext: ``tls`` for no passwords before TLS, ``always`` for everywhere.
        mechanisms: SASL mechanisms offered, the best first.  SCRAM is for sites whose
            every user has a ``{SCRAM-...}`` or ``{PLAIN}`` password: clients that see
            it offered use nothing else.
        bounds: The limits.
    """

    _log = Logger()

    def __init__(
        self,
        users: Directory,
        throttle: Throttle,
        verified: Verified,
        clock: IReactorTime,
        *,
        in_thread: InThread,
        key: bytes,
        cleartext: str = "tls",
        mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN"),
        bounds: Bounds | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._users = users
        self._counters = counters or Counters()
        self._throttle = throttle
        self._verified = verified
        self._clock = clock
        self._in_thread = in_thread
        self._key = key
        self._always = cleartext == "always"
        self._mechanisms = mechanisms
        self._bounds = Bounds() if bounds is None else bounds
        self._checking = 0
        self._waiting = 0
        self._nonces = 0

    @classmethod
    def of(
        cls,
        users: Directory,
        clock: IReactorTime,
        *,
        in_thread: InThread,
        random: Random,
        cleartext: str = "tls",
        mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN"),
    ) -> "Authenticator":
        """One with a throttle and a memory of its own, and keys made for them.

        Args:
            users: The users.
            clock: Time.
            in_thread: Where slow password schemes run.
            random: Gives unpredictable octets.
            cleartext: See the class.
            mechanisms: See the class.
        """
        return cls(
            users,
            Throttle(random(32)),
            Verified(random(32)),
            clock,
            in_thread=in_thread,
            key=random(32),
            cleartext=cleartext,
            mechanisms=mechanisms,
        )

    # -- what is offered

    def allows_cleartext(self, secure: bool) -> bool:
        """Whether passwords may be sent as they are (USER and PASS, IMAP LOGIN).

        Args:
            secure: The connection has TLS, or comes from this host.
        """
        return secure or self._always

    def mechanisms(self, secure: bool) -> tuple[str, ...]:
        """The SASL mechanisms to offer on a connection, the best first.

        Args:
            secure: The connection has TLS, or comes from this host.
        """
        if self.allows_cleartext(secure):
            return self._mechanisms
        return tuple(
            name for name in self._mechanisms if name not in mechanisms.CLEARTEXT
        )

    def exchange(
        self, mechanism: str, initial: bytes | None, *, secure: bool
    ) -> Exchange:
        """Begin a SASL exchange; what it ends in goes to ``conclude``.

        Args:
            mechanism: Its name, in any case.
            initial: The initial response, decoded; None if there was none.
            secure: The connection has TLS, or comes from this host.

        Raises:
            UnknownMechanism: It is not offered here.
            ProtocolSyntaxError, LimitExceeded, AuthenticationFailed: See
                ``sasl.mechanisms.start``.
        """
        if mechanism.upper() not in self.mechanisms(secure):
            raise mechanisms.UnknownMechanism("mechanism not offered")
        source = mechanisms.ScramSource(self._scram_keys, self._nonce)
        return mechanisms.start(mechanism, initial, source)

    def _nonce(self) -> bytes:
        """Unpredictable, as nobody knows the key, and never the same twice."""
        self._nonces += 1
        counted = self._nonces.to_bytes(8, "big")
        return (
            hashlib.blake2b(counted, key=self._key, digest_size=18, person=b"nonce")
            .hexdigest()
            .encode()
        )

    def _scram_keys(self, algorithm: str, name: str) -> ScramKeys:
        """The keys of a user, or made-up ones that look and cost the same.

        Salts that are not in the file change when the program starts anew: seen
        across that, a stranger looks like a user whose password is stored in plain.
        """
        salt = hashlib.blake2b(
            fold(name), key=self._key, digest_size=16, person=b"salt"
        ).digest()
        user = self._users.lookup(name)
        keys = None
        if user is not None:
            keys = passwords.scram_keys(user.password, algorithm, salt)
        if keys is not None:
            return keys
        model = passwords.scram_keys(self._model(name), algorithm, salt)
        iterations = digests.SCRAM_ITERATIONS if model is None else model.iterations
        size = hashlib.new(algorithm).digest_size
        nothing = hashlib.blake2b(
            salt, key=self._key, digest_size=size, person=b"nobody"
        ).digest()
        return ScramKeys(algorithm, iterations, salt, nothing, nothing)

    # -- judging

    async def conclude(
        self, outcome: Outcome, *, service: str, source: str, note: Noting = SILENT
    ) -> Account:
        """Judge what a SASL exchange ended in; see ``authenticate``."""
        if isinstance(outcome, Credentials):
            return await self.authenticate(
                outcome.authentication,
                outcome.password,
                service=service,
                source=source,
                note=note,
            )
        attempt = _Attempt(outcome.authentication, service, source, note)
        return await self._judge_proof(outcome, attempt)

    async def authenticate(
        self,
        name: str,
        password: str,
        *,
        service: str,
        source: str,
        note: Noting = SILENT,
    ) -> Account:
        """Judge a name and a password.

        Args:
            name: As the client gave it.
            password: As the client gave it; surrogates stand for octets that are not
                UTF-8.
            service: ``imap``, ``pop3``, ``submission`` ...: what ``allow`` speaks of.
            source: The client's address; anything else for a local connection.
            note: Is told what was decided and why.

        Raises:
            AuthenticationFailed: Wrong name or password.
            AccountDisabled: Right, but the user may not use this service, or not from
                there, or not at all.
            TemporaryError: Not judged; too much to do, or the users cannot be read.
        """
        name, password = prepared(name), prepared(password)
        attempt = _Attempt(name, service, source, note)
        user = self._users.lookup(name)
        now = self._clock.seconds()
        if user is not None and self._verified.knows(user, password, now):
            return self._admit(user, attempt, "the password was right before")
        await self._hold_back(attempt, now)
        began = self._clock.seconds()
        right = await self._check(user, name, password)
        if user is None or not right:
            if user is not None:
                self._verified.forget(user)
            await self._refuse(user, f"{name}\0{password}", began, attempt)
            raise AuthenticationFailed("wrong name or password")
        now = self._clock.seconds()
        self._verified.remember(user, password, now)
        self._throttle.succeeded(source, name, now)
        return self._admit(user, attempt, "the password is right")

    async def _judge_proof(
        self, outcome: Proven | Refused, attempt: "_Attempt"
    ) -> Account:
        await self._hold_back(attempt, self._clock.seconds())
        now = self._clock.seconds()
        user = self._users.lookup(attempt.name)
        if isinstance(outcome, Proven) and user is not None:
            self._throttle.succeeded(attempt.source, attempt.name, now)
            return self._admit(user, attempt, "the proof is right")
        evidence = outcome.evidence if isinstance(outcome, Refused) else attempt.name
        await self._refuse(user, evidence, now, attempt)
        raise AuthenticationFailed("wrong proof")

    async def _hold_back(self, attempt: "_Attempt", now: float) -> None:
        """Wait as the source deserves.

        Raises:
            TemporaryError: So many attempts wait that this one cannot.
        """
        try:
            wait = self._throttle.before(attempt.source, attempt.name, now)
            await self._sleep(wait)
        except TemporaryError as error:
            attempt.tell("login refused", why=str(error))
            raise
        attempt.waited = wait

    async def _check(self, user: User | None, name: str, password: str) -> bool:
        """Whether the password fits; takes as long for a name that nobody has."""
        bounds = self._bounds
        if (
            len(password) > bounds.password
            or len(password.encode("utf-8", "surrogateescape")) > bounds.password
            or len(name) > bounds.name
        ):
            return False
        stored = "" if user is None else user.password
        if user is None or is_locked(stored):
            stored = self._model(name)
        if not passwords.is_slow(stored):
            return passwords.verify(stored, password)
        if self._checking >= bounds.queue:
            raise TemporaryError("too many passwords to check")
        self._checking += 1
        try:
            right = await self._in_thread(lambda: passwords.verify(stored, password))
        finally:
            self._checking -= 1
        return right and user is not None and stored == user.password

    def _model(self, name: str) -> str:
        """A password field to check a stranger's password against.

        One of another user, always the same for a name, so that it costs what the
        schemes in the file cost.
        """
        digest = hashlib.blake2b(
            name.lower().encode("utf-8", "replace"), key=self._key, digest_size=8
        ).digest()
        stored = self._users.sample(int.from_bytes(digest, "big"))
        return _NOBODY if is_locked(stored) else stored

    async def _refuse(
        self, user: User | None, evidence: str, began: float, attempt: "_Attempt"
    ) -> None:
        """Note and log a failure; returns when it may be told."""
        seconds = self._throttle.failed(attempt.source, evidence, began)
        attempt.tell(
            "login refused",
            why="nobody has that name" if user is None else "the password is wrong",
            line="" if user is None else user.account.source,
            answered_after=round(seconds, 1),
        )
        self._tell(attempt, attempt.name, "wrong name or password")
        await self._sleep(began + seconds - self._clock.seconds())

    def _admit(self, user: User, attempt: "_Attempt", how: str) -> Account:
        """The account, if it may be used this way."""
        service, source = attempt.service, attempt.source
        reason = ""
        if user.disabled:
            reason = "account disabled"
        elif user.allow is not None and service not in user.allow:
            reason = "service not allowed"
        elif (user.networks is not None or user.local) and not _comes_from(
            user, source
        ):
            reason = "network not allowed"
        if reason:
            self._tell(attempt, user.name, reason)
            attempt.tell("login refused", why=reason, line=user.account.source)
            raise AccountDisabled(reason)
        attempt.tell("login", user=user.name, why=how, line=user.account.source)
        self._counters.add("logins")
        return user.account

    def _tell(self, attempt: "_Attempt", name: str, reason: str) -> None:
        # The source comes first and the name is escaped, so that no name can make the
        # line mean another source to whoever acts on it.
        self._counters.add("logins_refused")
        self._log.warn(
            "login refused from {source}: {reason} ({service}, user {user}, id {id})",
            source=attempt.source,
            reason=reason,
            service=attempt.service,
            user=ascii(name[:_NAME_LOGGED]),
            id=attempt.note.trace,
        )

    async def _sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if self._waiting >= self._bounds.waiting:
            raise TemporaryError("too many attempts wait")
        self._waiting += 1
        done: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._clock.callLater(seconds, done.callback, None)
        try:
            await done
        finally:
            self._waiting -= 1


@dataclass(slots=True)
class _Attempt:
    """Somebody who tries to log in, and what is told of it."""

    name: str
    service: str
    source: str
    note: Noting
    waited: float = 0.0

    def tell(self, kind: str, **facts: object) -> None:
        """Note a decision."""
        if self.waited:
            facts["held_back"] = round(self.waited, 1)
        self.note(kind, name=self.name[:_NAME_LOGGED], client=self.source, **facts)


def _comes_from(user: User, source: str) -> bool:
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return user.local
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in user.networks or ())

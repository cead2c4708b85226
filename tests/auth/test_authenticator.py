"""The judge of credentials."""

import ipaddress
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from maildrop.auth.authenticator import Authenticator, Bounds
from maildrop.auth.throttle import Pace, Throttle
from maildrop.auth.users import User
from maildrop.auth.verified import Verified
from maildrop.errors import AccountDisabled, AuthenticationFailed, TemporaryError
from maildrop.mailbox.account import Account
from maildrop.metrics import Counters
from maildrop.sasl.exchange import Credentials, Proven, Refused
from maildrop.sasl.mechanisms import UnknownMechanism

T = TypeVar("T")
KEY = b"k" * 32
#: "secret", in a scheme that is meant to be slow and is not, here.
SLOW = "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7"
AWAY, NEAR = "192.0.2.1", "192.0.2.2"


def account(name: str) -> Account:
    return Account(name, f"/home/{name}", "memory:")


class People:
    """Users by name; counts the samples that were asked for."""

    def __init__(self, *users: User) -> None:
        self.users = {user.name: user for user in users}
        self.samples = 0
        self.broken = False

    def lookup(self, name: str) -> User | None:
        if self.broken:
            raise TemporaryError("the file cannot be read")
        return self.users.get(name)

    def sample(self, number: int) -> str:
        self.samples += 1
        fields = [user.password for user in self.users.values()]
        return fields[number % len(fields)] if fields else ""


class Threads:
    """Jobs wait until ``finish``."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, job: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        self.waiting.append(lambda: done.callback(job()))
        return done

    def finish(self) -> None:
        self.waiting.pop(0)()


class Court:
    """An authenticator with its clock and threads."""

    def __init__(
        self,
        *users: User,
        bounds: Bounds | None = None,
        pace: Pace | None = None,
        cleartext: str = "tls",
        mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN"),
    ) -> None:
        self.clock = Clock()
        self.people = People(*users)
        self.threads = Threads()
        self.counters = Counters()
        self.judge = Authenticator(
            self.people,
            Throttle(KEY, pace),
            Verified(KEY),
            self.clock,
            in_thread=self.threads,
            key=KEY,
            cleartext=cleartext,
            mechanisms=mechanisms,
            bounds=bounds,
            counters=self.counters,
        )

    def ask(
        self, name: str, password: str, *, service: str = "imap", source: str = AWAY
    ) -> "Verdict":
        return Verdict(
            self.judge.authenticate(name, password, service=service, source=source)
        )


class Verdict:
    """How a judgement ended, if it has."""

    def __init__(self, work: Coroutine[Any, Any, Account]) -> None:
        self.account: Account | None = None
        self.error: BaseException | None = None
        Deferred.fromCoroutine(work).addCallbacks(self._right, self._wrong)

    def _right(self, found: Account) -> None:
        self.account = found

    def _wrong(self, failure: Failure) -> None:
        self.error = failure.value

    @property
    def pending(self) -> bool:
        return self.account is None and self.error is None


PLAIN = User(account("bob"), "{PLAIN}secret")
PLAIN_AL = User(account("al"), "{PLAIN}secret")


def test_the_right_password_gives_the_account() -> None:
    assert Court(PLAIN).ask("bob", "secret").account == account("bob")


def test_good_and_refused_logins_are_counted() -> None:
    court = Court(PLAIN)
    court.ask("bob", "secret")
    court.ask("bob", "wrong")
    assert court.counters.counts() == {"logins": 1, "logins_refused": 1}


def test_names_and_passwords_are_compared_as_saslprep_has_them() -> None:
    """RFC 4013: also those that came with IMAP's LOGIN."""
    court = Court(User(account("jörg"), "{PLAIN}pässword"))
    verdict = court.ask("jo\u0308rg", "pa\u0308ssword")
    assert verdict.account == account("jörg")


def test_a_slow_scheme_is_checked_in_a_thread_and_then_remembered() -> None:
    court = Court(User(account("bob"), SLOW))
    first = court.ask("bob", "secret")
    assert first.pending
    court.threads.finish()
    assert first.account == account("bob")
    assert court.ask("bob", "secret").account == account("bob")
    assert not court.threads.waiting


def test_what_is_remembered_ends_with_its_time_a_failure_or_another_password() -> None:
    court = Court(User(account("bob"), SLOW))
    court.ask("bob", "secret")
    court.threads.finish()
    court.clock.advance(300)
    assert court.ask("bob", "secret").pending
    court.threads.finish()
    court.ask("bob", "wrong", source=NEAR)
    court.threads.finish()
    assert court.ask("bob", "secret").pending
    court.threads.finish()
    court.people.users["bob"] = User(account("bob"), "{PLAIN}other")
    court.ask("bob", "secret")
    assert court.ask("bob", "other").account == account("bob")


@pytest.mark.parametrize("name", ["bob", "nobody"])
def test_a_refusal_takes_the_same_time_whether_or_not_the_name_exists(
    name: str,
) -> None:
    court = Court(User(account("bob"), SLOW))
    verdict = court.ask(name, "wrong")
    assert len(court.threads.waiting) == 1
    court.clock.advance(0.05)
    court.threads.finish()
    assert verdict.pending
    court.clock.advance(0.94)
    assert verdict.pending
    court.clock.advance(0.02)
    assert type(verdict.error) is AuthenticationFailed
    assert str(verdict.error) == "wrong name or password"


def test_a_locked_password_takes_as_long_as_another() -> None:
    court = Court(User(account("bob"), SLOW), User(account("al"), "!"))
    court.ask("al", "secret")
    court.ask("al", "!")
    court.ask("al", "")
    assert court.people.samples == 3


def test_the_right_password_of_another_user_does_not_let_a_stranger_in() -> None:
    court = Court(PLAIN)
    verdict = court.ask("nobody", "secret")
    court.clock.advance(1)
    assert type(verdict.error) is AuthenticationFailed
    court = Court(User(account("bob"), SLOW), User(account("al"), "*"))
    verdict = court.ask("al", "secret")
    court.threads.finish()
    court.clock.advance(1)
    assert type(verdict.error) is AuthenticationFailed


def test_wrong_answers_take_longer_and_longer() -> None:
    court = Court(PLAIN)
    for number, seconds in enumerate((1, 2, 4, 8, 15, 15)):
        verdict = court.ask("bob", f"guess {number}")
        court.clock.advance(seconds - 0.01)
        assert verdict.pending
        court.clock.advance(0.01)
        assert verdict.error is not None


def test_many_connections_of_one_source_do_not_help_it() -> None:
    court = Court(PLAIN)
    court.ask("al", "guess")
    verdicts = [court.ask("al", f"guess {n}") for n in range(40)]
    refused = [verdict for verdict in verdicts if verdict.error is not None]
    assert refused
    assert all(isinstance(verdict.error, TemporaryError) for verdict in refused)


def test_a_good_user_at_the_attackers_address_gets_in_at_once() -> None:
    court = Court(User(account("bob"), SLOW), PLAIN_AL)
    court.ask("bob", "secret")
    court.threads.finish()
    for number in range(30):
        court.ask("al", f"guess {number}")
    court.clock.advance(400)  # bob is no longer remembered
    for number in range(30):
        court.ask("al", f"guess again {number}")
    verdict = court.ask("bob", "secret")
    court.threads.finish()
    assert verdict.account == account("bob")


@pytest.mark.parametrize(
    ("user", "service", "source"),
    [
        (User(account("bob"), "{PLAIN}secret", disabled=True), "imap", AWAY),
        (
            User(account("bob"), "{PLAIN}secret", allow=frozenset({"pop3"})),
            "imap",
            AWAY,
        ),
        (User(account("bob"), "{PLAIN}secret", allow=frozenset()), "imap", AWAY),
        (User(account("bob"), "{PLAIN}secret", networks=()), "imap", AWAY),
        (
            User(
                account("bob"),
                "{PLAIN}secret",
                networks=(ipaddress.ip_network("192.0.2.0/32"),),
            ),
            "imap",
            AWAY,
        ),
        (User(account("bob"), "{PLAIN}secret", networks=(), local=True), "imap", AWAY),
    ],
)
def test_what_the_account_may_not_do_is_said_after_the_right_password_only(
    user: User, service: str, source: str
) -> None:
    court = Court(user)
    verdict = court.ask("bob", "secret", service=service, source=source)
    assert type(verdict.error) is AccountDisabled
    again = court.ask("bob", "secret", service=service, source=source)
    assert type(again.error) is AccountDisabled
    wrong = court.ask("bob", "wrong", service=service, source=source)
    court.clock.advance(1)
    assert type(wrong.error) is AuthenticationFailed


@pytest.mark.parametrize("source", ["192.0.2.1", "::ffff:192.0.2.9", "unix"])
def test_networks_that_are_allowed_let_in(source: str) -> None:
    networks = (ipaddress.ip_network("192.0.2.0/24"),)
    user = User(account("bob"), "{PLAIN}secret", networks=networks, local=True)
    assert Court(user).ask("bob", "secret", source=source).account


def test_a_full_queue_is_a_temporary_error() -> None:
    court = Court(User(account("bob"), SLOW), bounds=Bounds(queue=2))
    waiting = [court.ask("bob", "secret") for _ in range(2)]
    assert type(court.ask("bob", "secret").error) is TemporaryError
    court.threads.finish()
    court.threads.finish()
    assert all(verdict.account for verdict in waiting)


def test_attempts_held_back_are_bounded() -> None:
    court = Court(PLAIN, bounds=Bounds(waiting=1))
    first = court.ask("bob", "wrong", source=AWAY)
    assert type(court.ask("bob", "wrong", source=NEAR).error) is TemporaryError
    court.clock.advance(1)
    assert type(first.error) is AuthenticationFailed
    assert court.ask("bob", "wrong", source=NEAR).pending


@pytest.mark.parametrize(
    ("name", "password"),
    [("bob", "x" * 1025), ("bob", "é" * 513), ("b" * 256, "secret"), ("bob", "")],
)
def test_overlong_and_empty_parts_are_wrong(name: str, password: str) -> None:
    court = Court(PLAIN)
    verdict = court.ask(name, password)
    court.clock.advance(1)
    assert type(verdict.error) is AuthenticationFailed


def test_when_the_users_cannot_be_read_nobody_is_judged() -> None:
    court = Court(PLAIN)
    court.people.broken = True
    assert type(court.ask("bob", "wrong").error) is TemporaryError


def test_the_log_has_source_and_name_and_no_password() -> None:
    court = Court(PLAIN)
    with capturedLogs() as events:
        court.ask("bob\n\x1b from 198.51.100.9", "hunter2")
    (event,) = events
    assert formatEvent(event) == (
        "login refused from 192.0.2.1: wrong name or password "
        "(imap, user 'bob\\n\\x1b from 198.51.100.9', id -)"
    )
    assert "hunter2" not in repr(event)


def test_mechanisms_that_show_the_password_need_a_secure_connection() -> None:
    judge = Court(PLAIN).judge
    assert judge.mechanisms(secure=True) == ("PLAIN", "LOGIN")
    assert judge.mechanisms(secure=False) == ()
    assert not judge.allows_cleartext(secure=False)
    with pytest.raises(UnknownMechanism):
        judge.exchange("PLAIN", None, secure=False)
    with pytest.raises(UnknownMechanism):
        judge.exchange("CRAM-MD5", None, secure=True)
    always = Court(PLAIN, cleartext="always").judge
    assert always.mechanisms(secure=False) == ("PLAIN", "LOGIN")


def test_an_exchange_ends_in_a_judgement() -> None:
    court = Court(PLAIN)
    step = court.judge.exchange("plain", b"\0bob\0secret", secure=True).step
    assert step == Credentials("bob", "bob", "secret")
    assert isinstance(step, Credentials)
    verdict = Verdict(court.judge.conclude(step, service="imap", source=AWAY))
    assert verdict.account == account("bob")


def test_proofs_are_judged_like_passwords() -> None:
    court = Court(PLAIN, User(account("al"), "{PLAIN}x", disabled=True))

    def conclude(outcome: Proven | Refused) -> Verdict:
        return Verdict(court.judge.conclude(outcome, service="imap", source=AWAY))

    assert conclude(Proven("bob")).account == account("bob")
    assert type(conclude(Proven("al")).error) is AccountDisabled
    for outcome in (Refused("bob", "1"), Proven("nobody")):
        verdict = conclude(outcome)
        assert verdict.pending
        court.clock.advance(2)
        assert type(verdict.error) is AuthenticationFailed


def test_a_proof_from_an_offender_waits_its_turn() -> None:
    court = Court(PLAIN)
    court.ask("al", "guess")
    proofs = [
        Verdict(court.judge.conclude(Proven("bob"), service="imap", source=AWAY))
        for _ in range(2)
    ]
    assert proofs[0].account == account("bob")
    assert proofs[1].account == account("bob")  # known well by now
    court = Court(PLAIN)
    for _ in range(2):
        court.ask("al", "guess")
    late = Verdict(court.judge.conclude(Proven("bob"), service="imap", source=AWAY))
    assert late.pending
    court.clock.advance(2)
    assert late.account == account("bob")


def first_reply(court: Court, name: bytes) -> bytes:
    exchange = court.judge.exchange(
        "SCRAM-SHA-256", b"n,,n=%b,r=abc" % name, secure=False
    )
    assert isinstance(exchange.step, bytes)
    return exchange.step


SCRAM_USER = User(
    account("bob"),
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
)


def test_scram_where_it_is_offered_needs_no_secure_connection() -> None:
    court = Court(SCRAM_USER, mechanisms=("SCRAM-SHA-256", "PLAIN"))
    assert court.judge.mechanisms(secure=False) == ("SCRAM-SHA-256",)
    said = first_reply(court, b"bob")
    assert said.startswith(b"r=abc")
    assert said.endswith(b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert first_reply(court, b"bob") != said  # another nonce


def test_a_stranger_gets_a_salt_of_his_own_and_the_usual_count() -> None:
    court = Court(SCRAM_USER, mechanisms=("SCRAM-SHA-256",))
    salts = [first_reply(court, name).split(b",")[1:] for name in (b"x", b"x", b"y")]
    assert salts[0] == salts[1]
    assert salts[0] != salts[2]
    assert all(count == b"i=4096" for _, count in salts)
    assert {len(salt) for salt, _ in salts} == {len("s=W22ZaJ0SNY7soEsUEjb6gQ==")}


@pytest.mark.parametrize("stored", ["{SSHA}x", "!", SLOW, "{PLAIN}secret"])
def test_users_without_keys_look_like_the_others(stored: str) -> None:
    court = Court(User(account("bob"), stored), mechanisms=("SCRAM-SHA-256",))
    assert first_reply(court, b"bob").endswith(b",i=15000")
    assert first_reply(court, b"nobody").endswith(b",i=15000")


def test_one_can_be_made_with_all_its_parts() -> None:
    threads = Threads()
    judge = Authenticator.of(
        People(PLAIN), Clock(), in_thread=threads, random=lambda octets: KEY[:octets]
    )
    verdict = Verdict(
        judge.authenticate("bob", "secret", service="pop3", source="unix")
    )
    assert verdict.account == account("bob")

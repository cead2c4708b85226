"""A limit on the sessions of one user."""

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from maildrop.app.config import parse
from maildrop.app.crowding import Uncrowded
from maildrop.app.directory import open_users
from maildrop.auth.authenticator import Authenticator
from maildrop.auth.throttle import Throttle
from maildrop.auth.verified import Verified
from maildrop.errors import AuthenticationFailed, TemporaryError
from maildrop.mailbox.account import Account
from maildrop.net.sessions import Session, Sessions
from maildrop.sasl.exchange import Credentials
from tests.net.talker import Talker


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def judge(tmp_path: Path, sessions: Sessions, clock: Clock) -> Uncrowded:
    """One that admits a user twice; slow checks never come up with {PLAIN}."""
    (tmp_path / "passwd").write_text("ann:{PLAIN}tulip\nbob:{PLAIN}rose\n")
    configuration = parse("", str(tmp_path / "maildrop.toml")).configuration

    def in_thread(job: object) -> object:
        raise AssertionError(job)

    authenticator = Authenticator(
        open_users(configuration, clock),
        Throttle(b"k"),
        Verified(b"k"),
        clock,
        in_thread=in_thread,  # type: ignore[arg-type]
        key=b"k",
    )
    return Uncrowded(authenticator, sessions, 2)


def logged_in(sessions: Sessions, user: str) -> Session:
    talker = Talker(Clock())
    talker.makeConnection(StringTransport())
    session = sessions.add(Session("imap", talker, 0.0))
    session.user = user
    return session


def admitted(judge: Uncrowded, name: str, password: str) -> Account:
    """The account; nothing here has to wait."""
    coroutine = judge.authenticate(name, password, service="imap", source="::1")
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    account = ended.value.value
    assert isinstance(account, Account)
    return account


def test_a_user_is_admitted_up_to_the_limit(
    judge: Uncrowded, sessions: Sessions
) -> None:
    logged_in(sessions, "ann")
    assert admitted(judge, "ann", "tulip").name == "ann"


def test_one_too_many_is_refused_for_now(judge: Uncrowded, sessions: Sessions) -> None:
    first = logged_in(sessions, "ann")
    logged_in(sessions, "ann")
    credentials = Credentials("ann", "ann", "tulip")
    for judged in (
        judge.authenticate("ann", "tulip", service="imap", source="::1"),
        judge.conclude(credentials, service="imap", source="::1"),
    ):
        with pytest.raises(TemporaryError, match="2 sessions already"):
            judged.send(None)
    assert admitted(judge, "bob", "rose").name == "bob"
    sessions.remove(first)
    assert admitted(judge, "ann", "tulip").name == "ann"


def test_a_wrong_password_stays_one(
    judge: Uncrowded, sessions: Sessions, clock: Clock
) -> None:
    logged_in(sessions, "ann")
    logged_in(sessions, "ann")
    judged: Deferred[Account] = Deferred.fromCoroutine(
        judge.authenticate("ann", "rose", service="imap", source="unix")
    )
    clock.advance(60)
    found: list[Failure] = []
    judged.addErrback(found.append)
    assert [failure.type for failure in found] == [AuthenticationFailed]


def test_what_is_offered_is_the_authenticators(judge: Uncrowded) -> None:
    assert judge.mechanisms(secure=False) == ()
    assert "PLAIN" in judge.mechanisms(secure=True)
    assert judge.allows_cleartext(secure=True)
    assert judge.exchange("PLAIN", None, secure=True) is not None

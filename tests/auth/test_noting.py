"""What is noted of logins: why, and in which line of the users' file."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from maildrop.auth.authenticator import Authenticator
from maildrop.auth.throttle import Throttle
from maildrop.auth.users import Users
from maildrop.auth.verified import Verified
from maildrop.decisions.recorder import Notebook, Noting
from maildrop.decisions.trace import TraceIds
from maildrop.errors import MaildropError
from tests.auth.conftest import Open

T = TypeVar("T")
AWAY = "192.0.2.1"


def at_once(job: Callable[[], T]) -> Deferred[T]:
    return succeed(job())


class Gate:
    """Where somebody logs in."""

    def __init__(self, users: Users, clock: Clock) -> None:
        self.clock = clock
        self.notebook = Notebook(TraceIds(clock.seconds, bytes), clock.seconds)
        self.judge = Authenticator(
            users,
            Throttle(b"k"),
            Verified(b"k"),
            clock,
            in_thread=at_once,
            key=b"k",
        )

    def login(self, name: str, password: str, service: str = "imap") -> None:
        note = Noting(self.notebook, "S1", mechanism="PLAIN")
        work = Deferred.fromCoroutine(
            self.judge.authenticate(
                name, password, service=service, source=AWAY, note=note
            )
        )
        work.addErrback(lambda failure: failure.trap(MaildropError))
        self.clock.pump([1.0] * 60)

    @property
    def last(self) -> tuple[str, dict[str, object]]:
        _, trace, kind, facts = self.notebook.notes[-1]
        assert trace == "S1"
        assert facts["mechanism"] == "PLAIN"
        assert facts["client"] == AWAY
        return kind, facts


def gate(open_users: Open, clock: Clock) -> Gate:
    text = "# users\nann:{PLAIN}tulip::::::\nbob:{PLAIN}rose::::::allow=pop3\n"
    return Gate(open_users(text), clock)


def test_a_login_is_noted_with_its_line(open_users: Open, clock: Clock) -> None:
    office = gate(open_users, clock)
    office.login("ann", "tulip")
    kind, facts = office.last
    assert (kind, facts["user"], facts["why"]) == (
        "login",
        "ann",
        "the password is right",
    )
    assert str(facts["line"]).endswith("/passwd:2")
    office.login("ann", "tulip")
    assert office.last[1]["why"] == "the password was right before"


def test_a_wrong_password_and_an_unknown_name_differ_for_the_administrator(
    open_users: Open, clock: Clock
) -> None:
    office = gate(open_users, clock)
    office.login("ann", "wrong")
    kind, facts = office.last
    assert (kind, facts["why"]) == ("login refused", "the password is wrong")
    assert str(facts["line"]).endswith("/passwd:2")
    office.login("mallory", "wrong")
    kind, facts = office.last
    assert (kind, facts["why"]) == ("login refused", "nobody has that name")
    assert facts["name"] == "mallory"


def test_who_may_not_use_the_service_is_noted(open_users: Open, clock: Clock) -> None:
    office = gate(open_users, clock)
    office.login("bob", "rose")
    kind, facts = office.last
    assert (kind, facts["why"]) == ("login refused", "service not allowed")
    assert str(facts["line"]).endswith("/passwd:3")


def test_how_long_an_attempt_was_held_back_is_noted(
    open_users: Open, clock: Clock
) -> None:
    office = gate(open_users, clock)
    note = Noting(office.notebook, "S1", mechanism="PLAIN")
    for password in ("one", "two", "tulip"):
        work = office.judge.authenticate(
            "ann", password, service="imap", source=AWAY, note=note
        )
        Deferred.fromCoroutine(work).addErrback(lambda why: why.trap(MaildropError))
    clock.pump([1.0] * 60)
    kind, facts = office.last
    assert kind == "login"
    assert isinstance(facts["held_back"], float)
    assert facts["held_back"] > 0


def test_no_password_is_noted(open_users: Open, clock: Clock) -> None:
    office = gate(open_users, clock)
    for password in ("tulip", "hunter2"):
        office.login("ann", password)
    assert "tulip" not in repr(office.notebook.notes)
    assert "hunter2" not in repr(office.notebook.notes)

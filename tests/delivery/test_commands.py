"""Commands: what they are told, and what their end means."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel, capturedLogs

from maildrop.delivery.actions import Reason, ToCommand, as_waiting
from maildrop.delivery.child import Children, Ending
from maildrop.delivery.commands import Commands, environment, status, words
from maildrop.durable import Content
from maildrop.mailbox.account import Account
from maildrop.queue.entry import Entry, Kind, Result, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.wire.path import Path
from tests.queue.settled import Settled

ALICE = Account("alice", "/home/alice", "maildir:/home/alice/Maildir", 1000, 1000)
MESSAGE = (
    b"Received: from mx.far.example ([192.0.2.7])\r\n\t(using TLSv1.3)\r\n\tby "
    b"mail.example.org with ESMTPS id 01;\r\n\tnow\r\nSubject: x\r\n\r\nhello\r\n"
)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("/usr/bin/procmail", ["/usr/bin/procmail"]),
        ("/usr/bin/procmail -t  -a x", ["/usr/bin/procmail", "-t", "-a", "x"]),
        ("procmail", None),
        ("exit 75", None),
        ("/bin/x; /bin/y", None),
        ("/bin/x $HOME", None),
        ("/bin/x 'a b'", None),
        ("/bin/x > /tmp/y", None),
        ("/bin/x\n/bin/y", None),
        ("IFS=' ' && exec /usr/bin/procmail || exit 75 #alice", None),
    ],
)
def test_only_a_plain_command_does_without_a_shell(
    line: str, arguments: list[str] | None
) -> None:
    """local(8)."""
    assert words(line) == arguments


def waiting(line: str = "/bin/x", detail: str = "", address: str = "") -> Waiting:
    action = ToCommand(line, ALICE, detail, "alice", why=(Reason("x", "x", "/f", 3),))
    found = as_waiting(action, Path("alice+x", "example.org"))
    found.number = 0
    found.address = address or found.address
    return found


def entry(*recipients: Waiting, sender: str = "ann@far.example") -> Entry:
    return Entry("ID1", sender, 86400.0, len(MESSAGE), list(recipients))


def test_what_a_command_is_told() -> None:
    recipient = waiting()
    recipient.original = "rfc822;old@example.org"
    action = ToCommand("/bin/x", ALICE, "x")
    told = environment(action, recipient, entry(), "ann@far.example", MESSAGE)
    assert told == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/sh",
        "HOME": "/home/alice",
        "USER": "alice",
        "LOGNAME": "alice",
        "SENDER": "ann@far.example",
        "RECIPIENT": "alice+x@example.org",
        "ORIGINAL_RECIPIENT": "old@example.org",
        "LOCAL": "alice+x",
        "DOMAIN": "example.org",
        "EXTENSION": "x",
        "MAILDROP_ID": "ID1",
        "CLIENT_ADDRESS": "192.0.2.7",
        "CLIENT_HELO": "mx.far.example",
        "CLIENT_PROTOCOL": "ESMTPS",
    }


def test_a_null_sender_is_none() -> None:
    told = environment(ToCommand("/x", ALICE), waiting(), entry(), "", b"")
    assert "SENDER" not in told
    assert "CLIENT_ADDRESS" not in told


@given(st.text(max_size=40), st.binary(max_size=40))
def test_the_senders_words_mean_nothing_to_a_shell(text: str, octets: bytes) -> None:
    header = b"Received: from " + octets + b" ([192.0.2.7])\r\n\tby x with " + octets
    action = ToCommand("/x", ALICE, text)
    recipient = waiting()
    recipient.original = "utf-8;" + text
    told = environment(action, recipient, entry(), text, header)
    for name, value in told.items():
        assert not set(value) & set(" \n\0;|&$`'\"\\<>(){}[]*?~#"), name


@pytest.mark.parametrize(
    ("ending", "code", "text"),
    [
        (Ending(0, b"whatever"), "2.0.0", "given to x"),
        (Ending(67), "5.1.1", "x: it knows no such user (exit status 67)"),
        (
            Ending(75, b" not\n now\0\n"),
            "4.3.0",
            "x: it wants to be called again later (exit status 75): not now?",
        ),
        (Ending(1, b"oh\n"), "5.3.0", "x: it failed (exit status 1): oh"),
        (Ending(77, b"5.7.26 no\n"), "5.7.26", "(exit status 77): no"),
        (Ending(75, b"5.7.26 no\n"), "4.3.0", "later (exit status 75): 5.7.26 no"),
        (Ending(127), "4.3.0", "there is no such program"),
        (Ending(126), "4.3.0", "cannot be run"),
        (Ending(139), "4.3.0", "it was ended by signal 11"),
        (Ending(-1, b"", "it was ended by signal 9"), "4.3.0", "signal 9"),
        (Ending(1, b"y" * 5000), "5.3.0", "y" * 1000),
    ],
)
def test_what_an_end_means(ending: Ending, code: str, text: str) -> None:
    """sysexits(3), RFC 3463."""
    found = status(ending, "x")
    assert found.code == code
    assert text in found.text
    assert len(found.text) < 1100
    assert "\n" not in found.text


class Programs(Children):
    """Programs that end as they are told, and tell what they were given."""

    def __init__(self, *endings: Ending) -> None:
        super().__init__(lambda _: nullcontext(), lambda _: None, own_uid=1000)
        self.endings = list(endings)
        self.calls: list[tuple[Sequence[str], Account, bytes]] = []

    def run(
        self,
        arguments: Sequence[str],
        rights: Account,
        environment: Mapping[str, str],
        message: Iterable[bytes],
    ) -> Ending:
        assert environment["USER"] == rights.name
        self.calls.append((arguments, rights, b"".join(message)))
        return self.endings.pop(0)


def relayed(
    programs: Programs, *recipients: Waiting, users: Mapping[str, Account] | None = None
) -> Sequence[Result]:
    known = {"alice": ALICE} if users is None else users
    commands = Commands(programs, known.get, lambda job: succeed(job()))
    settled = Settled()
    content = functools.partial(Content.of, MESSAGE)
    job = Job(entry(*recipients), recipients, content, settled)
    done: list[Attempt] = []
    Deferred.fromCoroutine(commands.relay(job)).addCallback(done.append)
    return [*settled.results, *done[0].results]


def test_the_message_is_given_with_its_envelope() -> None:
    programs = Programs(Ending(0), Ending(0))
    first, second = waiting(), waiting("exec x")
    second.number = 1
    results = relayed(programs, first, second)
    assert [result.kind for result in results] == [Kind.DELIVERED] * 2
    (arguments, rights, message), (shell, _, _) = programs.calls
    assert (arguments, rights) == (["/bin/x"], ALICE)
    assert shell == ["/bin/sh", "-c", "exec x"]
    assert message == (
        b"From ann@far.example Fri Jan  2 00:00:00 1970\n"
        b"Return-Path: <ann@far.example>\nDelivered-To: alice+x@example.org\n"
    ) + MESSAGE.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (Ending(75), Kind.WAITING),
        (Ending(-1, trouble="it was killed after 1 seconds"), Kind.WAITING),
        (Ending(77, b"go away"), Kind.FAILED),
    ],
)
def test_what_fails_is_tried_again_or_given_back(ending: Ending, kind: Kind) -> None:
    with capturedLogs() as logs:
        (result,) = relayed(Programs(ending), waiting())
    assert result.kind is kind
    assert logs[-1]["log_level"] is LogLevel.warn
    assert logs[-1]["source"] == "/f:3"
    assert logs[-1]["recipient"] == "alice+x@example.org"


def test_a_command_of_a_user_who_is_gone_is_not_run() -> None:
    programs = Programs()
    (result,) = relayed(programs, waiting(), users={})
    assert result.kind is Kind.WAITING
    assert "no user any more" in result.status.text
    assert not programs.calls


@pytest.mark.parametrize("order", ["", "{", "[]", '{"account":"alice"}', '{"x":1}'])
def test_an_order_that_is_none_is_not_run(order: str) -> None:
    programs = Programs()
    recipient = waiting()
    recipient.order = order
    (result,) = relayed(programs, recipient)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.3.5")


def test_what_a_command_came_to_is_settled_before_the_next_one_runs() -> None:
    """Else a crash meanwhile would run it again."""
    programs = Programs(Ending(0), Ending(0))
    ran: list[int] = []

    async def settled(results: Sequence[Result]) -> None:
        assert [each.number for each in results] == [0]
        ran.append(len(programs.calls))

    first, second = waiting(), waiting()
    second.number = 1
    commands = Commands(programs, {"alice": ALICE}.get, lambda job: succeed(job()))
    content = functools.partial(Content.of, MESSAGE)
    job = Job(entry(first, second), [first, second], content, settled)
    done: list[Attempt] = []
    Deferred.fromCoroutine(commands.relay(job)).addCallback(done.append)
    assert [each.number for each in done[0].results] == [1]
    assert (ran, len(programs.calls)) == ([1], 2)


def test_of_one_user_only_some_run_at_a_time() -> None:
    begun: list[Deferred[None]] = []

    def in_thread(job: object) -> Deferred[Ending]:
        begun.append(Deferred())
        return begun[-1].addCallback(lambda _: Ending(0))

    commands = Commands(Programs(), {"alice": ALICE}.get, in_thread, per_user=2)  # type: ignore[arg-type]
    done: list[Attempt] = []
    for _ in range(3):
        recipient = waiting()
        content = functools.partial(Content.of, MESSAGE)
        job = Job(entry(recipient), [recipient], content, Settled())
        Deferred.fromCoroutine(commands.relay(job)).addCallback(done.append)
    assert (len(begun), len(done)) == (2, 0)
    begun[0].callback(None)
    assert (len(begun), len(done)) == (3, 1)

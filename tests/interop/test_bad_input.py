"""What hostile and clumsy clients send to a real server, and what they get."""

import base64
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.interop.clients import (
    HOST,
    SENDER,
    Wire,
    assert_whole,
    deliver,
    imap_messages,
    message,
)
from tests.interop.ports import free_port
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)


# -- starting


def test_all_ports_in_use_are_told_and_none_is_left_open() -> None:
    """Which, by what setting; exit status EX_UNAVAILABLE."""
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as two:
        taken = [each.getsockname()[1] for each in (one, two)]
        free = free_port()
        server = Server(ports=[])
        with server.file.open("a") as file:
            for port in (taken[0], free, taken[1]):
                file.write(
                    '[[listen]]\nprotocol = "pop3"\n'
                    f'endpoint = "tcp:{port}:interface=127.0.0.1"\n'
                )
        ended = server.run_to_its_end()
        assert ended.returncode == os.EX_UNAVAILABLE
        told = ended.stderr.splitlines()
        assert len(told) == 2
        for port, line, number in zip(taken, told, (1, 3), strict=True):
            assert f"tcp:{port}" in line
            assert f"listen[{number}]" in line
            assert str(server.file) in line
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, free))
        assert not (server.state / "control.sock").exists()
        server.remove()


def test_all_errors_of_a_configuration_are_told_at_once() -> None:
    server = Server(ports=[])
    server.file.write_text(
        'versoin = 1\nstate = 7\nworkers = "many"\n'
        '[users]\npasswd = "not/there"\n'
        '[mail]\ndomains = ["exa mple"]\nlocation = "mdir:~/x"\n'
        '[auth]\ncleartext = "perhaps"\n'
        '[limits]\nmessage = "50Q"\n'
        '[[listen]]\nprotocol = "imap4"\nendpoint = "tpc:1"\ntls = "yes"\n'
    )
    ended = server.run_to_its_end()
    assert ended.returncode == os.EX_CONFIG
    told = ended.stderr
    for line, key in (
        (1, "versoin"),
        (2, "state"),
        (3, "workers"),
        (7, "mail.domains"),
        (8, "mail.location"),
        (10, "auth.cleartext"),
        (12, "limits.message"),
        (14, "listen[1].protocol"),
        (15, "listen[1].endpoint"),
        (16, "listen[1].tls"),
    ):
        assert f"{server.file}:{line}: {key}" in told, (key, told)
    checked = server.maildrop("config", "check")
    assert checked.returncode == os.EX_CONFIG
    assert "Traceback" not in checked.stderr + told
    assert not server.state.exists()
    server.remove()


def test_a_configuration_that_is_no_toml_or_not_there_is_told() -> None:
    server = Server(ports=[])
    server.file.write_text("this is = = no toml\n")
    ended = server.run_to_its_end()
    assert ended.returncode == os.EX_CONFIG
    assert f"{server.file}:1" in ended.stderr
    server.file.unlink()
    ended = server.run_to_its_end()
    assert ended.returncode == os.EX_CONFIG
    assert str(server.file) in ended.stderr
    server.remove()


# -- logging in


def _pop3(wire: Wire, name: str, password: str) -> bytes:
    wire.line()
    wire.send(f"USER {name}\r\nPASS {password}\r\n".encode())
    wire.line()
    return wire.line()


def _imap(wire: Wire, name: str, password: str) -> bytes:
    wire.line()
    return wire.command(b"a", f'LOGIN {name} "{password}"'.encode())[-1]


def _submission(wire: Wire, name: str, password: str) -> bytes:
    wire.line()
    wire.send(b"EHLO client.example\r\n")
    wire.until(b"250 ")
    plain = base64.b64encode(f"\0{name}\0{password}".encode())
    wire.send(b"AUTH PLAIN " + plain + b"\r\n")
    return wire.line()


Login = Callable[[Wire, str, str], bytes]
LOGINS: Final[list[tuple[str, Login, bytes]]] = [
    ("pop3", _pop3, b"-ERR [AUTH] "),
    ("imap", _imap, b"a NO [AUTHENTICATIONFAILED] "),
    ("submission", _submission, b"535 5.7.8 "),
]


@pytest.fixture
def hashed() -> Iterator[Server]:
    """The users' passwords are hashed as ``maildrop user passwd`` does it."""
    with Server(ports=("imap", "pop3", "submission")) as server:
        for user in server.users:
            command = ("user", "passwd", user.name, "--password-stdin")
            done = server.maildrop(*command, given=f"{PASSWORD}\n")
            assert done.returncode == 0, done.stderr
        server.stop()
        server.start()
        yield server
        assert server.trouble() == []


def timed(
    server: Server, port: str, login: Login, name: str, password: str
) -> tuple[bytes, float]:
    """What is answered to a login, and after how many seconds."""
    with Wire(server, port) as wire:
        begun = time.perf_counter()
        answer = login(wire, name, password)
        return answer, time.perf_counter() - begun


@pytest.mark.parametrize(("port", "login", "start"), LOGINS, ids=lambda _: "")
def test_a_wrong_password_and_an_unknown_user_are_the_same(
    hashed: Server, port: str, login: Login, start: bytes
) -> None:
    """In what is answered, and in how long it takes."""
    known = timed(hashed, port, login, MAILDIR.name, "tulip-7")
    hashed.stop()
    hashed.start()  # it has forgotten the guess
    unknown = timed(hashed, port, login, "nobody-here", "tulip-7")
    assert known[0].startswith(start)
    assert known[0] == unknown[0]
    # Seconds: the delay is that of a first guess; of a second one it would be 2.
    assert all(1 <= seconds < 2 for _, seconds in (known, unknown))
    assert "tulip-7" not in hashed.log()


def test_one_guess_after_another_takes_longer_and_hurts_nobody_else(
    hashed: Server,
) -> None:
    times = [timed(hashed, "imap", _imap, MBOX.name, guess)[1] for guess in "abb"]
    assert times[0] < 2 <= times[1]  # seconds: twice the delay of the first
    # A program with one outdated password waits no longer each time.
    assert times[2] < 4
    answer, seconds = timed(hashed, "pop3", _pop3, MBOX.name, PASSWORD)
    assert answer.startswith(b"+OK")
    assert seconds < 2  # as long as another guess would take


@pytest.mark.parametrize("port", ["imap", "pop3", "submission"])
def test_what_came_before_tls_is_dropped_with_the_connection(
    server: Server, port: str
) -> None:
    """No command injected behind STARTTLS is ever obeyed."""
    starttls = {"imap": b"a STARTTLS\r\n", "pop3": b"STLS\r\n"}
    injected = {"imap": b"b NOOP\r\n", "pop3": b"CAPA\r\n", "submission": b"NOOP\r\n"}
    with Wire(server, port) as wire:
        wire.line()
        if port == "submission":
            wire.send(b"EHLO x\r\n")
            wire.until(b"250 ")
        wire.send(starttls.get(port, b"STARTTLS\r\n") + injected[port])
        said = wire.rest()
        assert said.count(b"\r\n") <= 1, said


# -- names of mailboxes

NAMES: Final = [
    b"../x",
    b"..",
    b".",
    b"a/../../x",
    b"a/../b",
    b"./x",
    b"a/./b",
    b"~root",
    b"~/x",
    b"/etc/x",
    b"//x",
    b"a//b",
    b"x\0y",
    b"a" * 2000,
    b"/".join([b"deep"] * 300),
    b"a\rb",
    b"a\nb",
    b"a\x1b[2Jb",
    b"\xff\xfe",
    b"&broken",
    b"",
    b"/",
    b"tmp/",
    b"maildrop.ledger/..",
    b"cur",
    b"new",
    b"tmp",
]
#: Names that may be taken: on a Maildir++ they are folders ".cur", ".new", ".tmp".
_HARMLESS: Final = frozenset({b"cur", b"new", b"tmp", b"tmp/"})


@USERS
@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20])[2:-1])
def test_no_name_leads_out_of_the_mail_directory(
    server: Server, user: User, name: bytes
) -> None:
    deliver(server, user, message("inbox"))
    before = _tree(server, user)
    with Wire(server, "imap").login(user) as wire:
        literal = b"{%d+}\r\n%b" % (len(name), name)
        for command in (b"CREATE ", b"RENAME INBOX "):
            if command.startswith(b"R") and name in _HARMLESS:
                continue
            answer = _last(wire, command + literal)
            expected = (b"OK", b"NO") if name in _HARMLESS else (b"NO", b"BAD")
            assert answer.startswith(expected), (command, answer)
            assert b"SERVERBUG" not in answer
        for command in (b"SELECT ", b"EXAMINE ", b"DELETE ", b"SUBSCRIBE "):
            if name in _HARMLESS:
                break
            answer = _last(wire, command + literal)
            assert b"SERVERBUG" not in answer
            assert answer.startswith((b"NO", b"BAD")) or command == b"SUBSCRIBE "
        assert b"SERVERBUG" not in _last(wire, b"UNSUBSCRIBE " + literal)
        assert b"SERVERBUG" not in _last(wire, b'LIST "" ' + literal)
        answer = _last(wire, b"STATUS " + literal + b" (MESSAGES)")
        assert answer.startswith((b"NO", b"BAD")) or name in _HARMLESS
        assert _last(wire, b"NOOP").startswith(b"OK")
    assert _tree(server, user) == before


def _last(wire: Wire, command: bytes) -> bytes:
    return wire.command(b"x", command)[-1].removeprefix(b"x ")


def _tree(server: Server, user: User) -> set[str]:
    """Everything outside the user's mail, its indexes and the journal of decisions."""
    own = str(server.home(user))
    mail = f"{own}/{'Maildir' if user.kind == 'maildir' else 'mail'}"
    indexes = f"{server.state}/mailboxes/{user.name}"
    found = set()
    for directory, folders, files in os.walk(server.directory):
        for name in (*folders, *files):
            path = f"{directory}/{name}"
            if not path.startswith((mail, indexes, f"{server.state}/decisions")):
                found.add(path)
    return found


@USERS
@pytest.mark.parametrize("detail", ["../x", "..", "~root", "/etc/passwd", "a/../../b"])
def test_no_detail_of_an_address_leads_out_of_the_mail_directory(
    server: Server, user: User, detail: str
) -> None:
    """A detail that names no folder is mail for INBOX."""
    deliver(server, user, message("inbox"))
    before = _tree(server, user)
    count = len(imap_messages(server, user))
    with Wire(server, "lmtp") as wire:
        wire.line()
        wire.send(b"LHLO client.example\r\n")
        wire.until(b"250 ")
        wire.send(f"MAIL FROM:<{SENDER}>\r\n".encode())
        wire.send(f'RCPT TO:<"{user.name}+{detail}"@example.org>\r\n'.encode())
        assert [wire.line()[:3] for _ in range(2)] == [b"250"] * 2
        wire.send(b"DATA\r\n")
        assert wire.line().startswith(b"354")
        wire.send(message("detail") + b".\r\n")
        assert wire.line().startswith(b"250")
    assert len(imap_messages(server, user)) == count + 1
    assert _tree(server, user) == before


# -- conversations gone wrong


@pytest.mark.parametrize(
    ("port", "greeting", "wrong", "answer", "right", "good"),
    [
        ("imap", b"*", b"a%d FROB\r\n", b"a%d BAD", b"z NOOP\r\n", b"z OK"),
        ("imap", b"*", b"%d\r\n", None, b"z NOOP\r\n", b"z OK"),
        ("pop3", b"+OK", b"FROB %d\r\n", b"-ERR", b"CAPA\r\n", b"+OK"),
        ("smtp", b"220", b"FROB %d\r\n", b"500", b"NOOP\r\n", b"250"),
        ("lmtp", b"220", b"FROB %d\r\n", b"500", b"NOOP\r\n", b"250"),
        ("submission", b"220", b"FROB %d\r\n", b"500", b"NOOP\r\n", b"250"),
    ],
)
def test_a_wrong_command_is_answered_and_too_many_end_it(
    server: Server,
    port: str,
    greeting: bytes,
    wrong: bytes,
    answer: bytes | None,
    right: bytes,
    good: bytes,
) -> None:
    with Wire(server, port) as wire:
        assert wire.line().startswith(greeting)
        for number in range(3):
            wire.send(wrong % number)
            line = wire.line()
            if answer is not None:
                expected = answer % number if b"%d" in answer else answer
                assert line.startswith(expected), line
        wire.send(right)
        assert wire.until(good)
        assert _answers(wire, wrong, 200) < 100


def _answers(wire: Wire, wrong: bytes, most: int) -> int:
    """How often a wrong command is answered before the connection ends."""
    for number in range(most):
        try:
            wire.send(wrong % number)
            if not wire.line():
                return number
        except ConnectionError:
            return number
    return most


@pytest.mark.parametrize("port", ["imap", "pop3", "smtp", "lmtp", "submission"])
def test_an_endless_line_ends_the_connection_or_is_refused(
    server: Server, port: str
) -> None:
    """No more memory than the line may take, and nobody else is hurt."""
    before = server.resident()
    with Wire(server, port) as wire:
        wire.line()
        sent = 0
        try:
            while sent < 50_000_000:
                wire.send(b"x" * 100_000)
                sent += 100_000
        except ConnectionError:
            pass
    assert server.resident() - before < 20_000_000
    with Wire(server, port) as wire:
        assert wire.line()


@pytest.mark.parametrize("port", ["imap", "imaps", "pop3s", "pop3", "smtp", "lmtp"])
def test_tls_where_clear_text_is_wanted_and_the_reverse(
    server: Server, port: str
) -> None:
    """Garbage of a scanner is no trouble worth a line in the log."""
    for garbage in (
        b"\x16\x03\x01\x02\0\x01\0" + bytes(600),
        b"GET / HTTP/1.1\r\n\r\n",
    ):
        with Wire(server, port) as wire:
            try:
                wire.send(garbage)
                wire.socket.shutdown(socket.SHUT_WR)
                wire.rest()
            except OSError:
                pass
    assert server.trouble() == []


def test_many_connections_that_say_nothing_hurt_nobody(server: Server) -> None:
    ports = ("imap", "pop3", "smtp", "lmtp", "imaps", "pop3s")
    silent = [Wire(server, port) for port in ports for _ in range(50)]
    try:
        deliver(server, MAILDIR, message("beside"))
        stored = imap_messages(server, MAILDIR)
        assert_whole(stored[-1:], [message("beside")])
    finally:
        for wire in silent:
            wire.close()

"""Bad input on the path of mail: what the log says, what codes others hear.

    aliases in a circle                             554 5.4.6 to the client
    a command that hangs, dies, prints without end  4.3.0, tried again
    one that prints much and refuses                5.1.1, its beginning in a report
    a .forward that is not the user's               250, to the mailbox
    a link swapped in between                       2.0.0 or 5.2.0, never through it
    a host that drops, answers junk or too much,    4.4.2, 4.5.0, 4.7.4
    offers no TLS where it is demanded
    mail without a sender that fails                no report
    files of the queue: cut, foreign, of later      kept
    -t with 10,000 recipients                       each once
    header injection through -F                     exit status 65

A host that stalls is waited for as long as RFC 5321 wants, which only a clock that can
be set has time for: ``tests/smtp/client/test_connection.py``.
"""

import contextlib
import json
import os
import re
import smtplib
import socket
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import HOST, imap_messages, message
from tests.interop.server import BIN, DOMAIN, PATIENCE, Server, User, until

ALICE: Final = User("alice", uid=60_021)
BEN: Final = User("ben", uid=60_022)
NOBODY: Final = 65_534

CONFIGURATION: Final = """\
[delivery]
aliases = ["aliases"]
command_timeout = "1s"
commands_per_user = 10
"""
ALIASES: Final = """\
circle: circle2
circle2: circle
hang: "|exec tail -f /dev/null"
dies: "|kill -KILL $$"
endless: "|yes"
chatty: "|yes 'no such person' | head -c 3000000; exit 67"
archive: DIRECTORY/out/archive
"""

Talk = Callable[[socket.socket], None]


class Host:
    """Another host, which does as it is told with each connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._socket = socket.create_server((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(
                    target=self._one, args=(connection,), daemon=True
                ).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._talk(connection)

    def close(self) -> None:
        """Take no more."""
        self._socket.close()


def smtp(**answers: bytes) -> Talk:
    """SMTP without anything; answers by command, nothing for the end."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(answers.get("greeting", b"220 there ESMTP\r\n"))
        with connection.makefile("rb") as lines:
            for line in lines:
                verb = line[:4].decode().strip()
                answer = answers.get(verb, b"250 OK\r\n")
                if verb == "DATA" and "DATA" not in answers:
                    connection.sendall(b"354 go on\r\n")
                    while next(lines) != b".\r\n":
                        pass
                if not answer:
                    return
                connection.sendall(answer)

    return talk


#: Hosts by the first part of their domain: what they do, TLS that is demanded, the code
#: and the words of the log.
HOSTS: Final[dict[str, tuple[Talk, str, str, str]]] = {
    "drops": (
        lambda _: None,
        "none",
        "4.4.2",
        "it closed the connection in the greeting",
    ),
    "drops-late": (smtp(DATA=b""), "none", "4.4.2", "it closed the connection in DATA"),
    "web": (
        smtp(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "none",
        "4.5.0",
        "HTTP",
    ),
    "octets": (smtp(EHLO=bytes(range(128, 256)) + b"\r\n"), "none", "4.5.0", ""),
    "talkative": (smtp(EHLO=b"250-more\r\n" * 10_000), "none", "4.5.0", "lines"),
    "no-tls": (smtp(), "verified", "4.7.4", "TLS"),
}


@pytest.fixture(scope="module")
def host() -> Iterator[Server]:
    hosts = {name: Host(talk) for name, (talk, *_) in HOSTS.items()}
    routes = "".join(
        f'[[route]]\ndomain = "{name}.example"\nhost = "{HOST}"\n'
        f'port = {hosts[name].port}\ntls = "{tls}"\n'
        for name, (_, tls, *_) in HOSTS.items()
    )
    server = Server((ALICE, BEN), CONFIGURATION + routes, account="nobody")
    text = ALIASES.replace("DIRECTORY", str(server.directory))
    (server.directory / "aliases").write_text(text)
    (server.directory / "out").mkdir()
    (server.directory / "out").chmod(0o1777)
    try:
        with server:
            yield server
    finally:
        for each in hosts.values():
            each.close()


def sent(
    server: Server, recipient: str, name: str, sender: str = ALICE.address
) -> tuple[int, bytes]:
    """Send a message as a client who has logged in; the last reply."""
    with smtplib.SMTP(HOST, server.ports["submission"], timeout=PATIENCE) as client:
        client.starttls()
        client.login(ALICE.name, ALICE.password)
        client.mail(sender)
        code, text = client.rcpt(recipient)
        if code != 250:
            return code, text
        return client.data(message(name))


def told(server: Server, recipient: str) -> str:
    """What the log says of the end of an attempt."""
    pattern = rf"^\S+ info queue \S+: (\w+ {re.escape(recipient)} by .*)$"
    found = until(
        lambda: re.findall(pattern, server.log(), re.MULTILINE), f"{recipient} in log"
    )
    return str(found[0])


def report(server: Server, address: str) -> bytes:
    """The report that the sender gets about an address."""
    return until(
        lambda: [
            octets
            for octets in imap_messages(server, ALICE)
            if b"multipart/report" in octets and address.encode() in octets
        ],
        f"a report about {address}",
    )[0]


# -- addresses, commands and files


def test_a_circle_is_refused_and_told_with_its_name(host: Server) -> None:
    code, text = sent(host, f"circle@{DOMAIN}", "circle")
    assert (code, text[:5]) == (554, b"5.4.6")
    assert f"circle@{DOMAIN}: the aliases lead in a circle at circle" in host.log()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hang", "it was killed after 1 seconds"),
        ("dies", "it was ended by signal 9"),
        ("endless", "it was killed after"),
    ],
)
def test_mail_for_a_command_that_does_not_end_well_waits(
    host: Server, name: str, says: str
) -> None:
    assert sent(host, f"{name}@{DOMAIN}", name)[0] == 250
    line = told(host, f"{name}@{DOMAIN}")
    assert line.startswith(f"waiting {name}@{DOMAIN} by command: 4.3.0 ")
    assert says in line


def test_of_what_a_command_prints_the_beginning_is_in_a_report(host: Server) -> None:
    assert sent(host, f"chatty@{DOMAIN}", "chatty")[0] == 250
    line = told(host, f"chatty@{DOMAIN}")
    assert line.startswith(f"failed chatty@{DOMAIN} by command: 5.1.1 ")
    assert "no such person" in line
    assert len(line) < 2000
    octets = report(host, f"chatty@{DOMAIN}")
    assert b"Status: 5.1.1" in octets
    assert b"no such person" in octets
    assert len(octets) < 10_000


@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_a_forward_that_is_not_the_user_s_is_not_followed(
    host: Server, how: str
) -> None:
    mark = host.directory / "out" / f"mark-{how}"
    home = host.home(BEN)
    file = host.directory / "out" / "theirs"
    file.write_text(f'"|touch {mark}"\n')
    forward = home / f".forward+{how}"
    if how == "link":
        forward.symlink_to(file)
    else:
        forward.write_text(file.read_text())
        forward.chmod(0o666 if how == "mode" else 0o644)
        owner = BEN.uid if how == "mode" else ALICE.uid
        os.chown(forward, owner or 0, -1)
    before = len(imap_messages(host, BEN))
    assert sent(host, f"ben+{how}@{DOMAIN}", how)[0] == 250
    assert len(imap_messages(host, BEN)) == before + 1
    assert not mark.exists()
    lines = [line for line in host.log().splitlines() if str(forward) in line]
    assert lines
    assert all(" warn " in line and "not followed: " in line for line in lines)


def test_a_link_that_is_swapped_in_between_is_not_written_through(
    host: Server,
) -> None:
    """Each message is in the file, or goes back; the target never has one."""
    archive = host.directory / "out" / "archive"
    target = host.directory / "out" / "target"
    target.write_text("")
    target.chmod(0o666)
    stopped = threading.Event()

    def swap() -> None:
        other = archive.with_name("other")
        while not stopped.is_set():
            for make in (lambda: other.symlink_to(target), other.touch):
                make()
                if not other.is_symlink():
                    other.chmod(0o666)
                other.rename(archive)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(20):
            assert sent(host, f"archive@{DOMAIN}", f"swapped{number}")[0] == 250
        done = rf"(delivered|failed|waiting) archive@{re.escape(DOMAIN)} by file: (\S+)"
        until(lambda: len(re.findall(done, host.log())) >= 20, "all to be tried")
    finally:
        stopped.set()
        thread.join()
    found = set(re.findall(done, host.log()))
    assert found <= {
        ("delivered", "2.0.0"),
        ("failed", "5.2.0"),
        ("waiting", "4.2.0"),
        ("waiting", "4.3.0"),
    }
    assert target.read_bytes() == b""


def test_nobody_is_told_of_failed_mail_without_a_sender(host: Server) -> None:
    with smtplib.SMTP(HOST, host.ports["smtp"], timeout=PATIENCE) as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(f"chatty@{DOMAIN}")[0] == 250
        code, reply = client.data(message("nobody"))
    assert code == 250
    trace = reply.decode().rpartition(" ")[2]
    until(lambda: f"{trace}: removed from the queue" in host.log(), "the end")
    assert re.search(
        rf" warn delivery {trace}: not delivered to chatty@{re.escape(DOMAIN)}, "
        "and no sender to tell: ",
        host.log(),
    )
    assert f"{trace}: reported in" not in host.log()


# -- other hosts


@pytest.mark.parametrize("name", HOSTS)
def test_mail_for_a_host_that_does_not_follow_smtp_waits(
    host: Server, name: str
) -> None:
    *_, code, says = HOSTS[name]
    address = f"x@{name}.example"
    assert sent(host, address, name)[0] == 250
    line = told(host, address)
    assert line.startswith(f"waiting {address} by smtp: {code} ")
    assert says in line
    assert len(line) < 1000


# -- files of the queue


def test_queue_files_that_cannot_be_used_hurt_no_others() -> None:
    server = Server((ALICE, BEN), CONFIGURATION, account="nobody")
    (server.directory / "aliases").write_text('hang: "|kill -KILL $$"\n')
    with server:
        ids = []
        for name in ("cut", "later", "good"):
            _, reply = sent(server, f"hang@{DOMAIN}", name)
            ids.append(reply.decode().rpartition(" ")[2])
        until(lambda: server.log().count(": waiting hang@") == 3, "three attempts")
        server.stop()
        entries = server.state / "queue" / "entries"
        cut, later, good = (entries / each for each in ids)
        os.truncate(cut, 400)
        _write_anew(later, later.read_bytes())
        (entries / "README").write_text("What is this?\n")
        (entries / "editor.swp~").write_text("not ours")
        (entries / "ROOTS").write_text("What is this?\n")
        (entries / "ROOTS").chmod(0o600)
        for path in entries.iterdir():
            os.utime(path, (0, 0))
            if path.name != "ROOTS":
                os.chown(path, NOBODY, -1)
        server.start()
        aside = f"put aside in {server.state}/queue/corrupt: "
        ends = [f"error queue {ids[0]}: {aside}", f"error queue README: {aside}"]
        ends.append("error queue ROOTS: ")
        ends.append(f"error queue {ids[1]}: left alone: it is of version 99, ")
        until(lambda: all(line in server.log(whole=False) for line in ends), str(ends))
        assert sorted(os.listdir(entries)) == sorted([*ids[1:], "ROOTS", "editor.swp~"])
        kept = os.listdir(server.state / "queue" / "corrupt")
        assert sorted(kept) == sorted([ids[0], "README"])
        shown = server.maildrop("queue", "show", ids[1])
        assert shown.returncode != 0
        assert "version 99" in shown.stderr
        assert server.maildrop("queue", "flush", ids[2]).returncode == 0
        until(lambda: f": waiting hang@{DOMAIN}" in server.log(whole=False), "the rest")
        assert good.exists()


def _write_anew(path: Path, octets: bytes) -> None:
    """As a later version would, with another number and a sum that fits."""
    line, _, rest = octets.partition(b"\n")
    value = json.loads(line[9:]) | {"version": 99}
    text = json.dumps(value).encode()
    path.write_bytes(b"%08x %b\n%b" % (zlib.crc32(text), text, rest))


# -- sendmail


def test_ten_thousand_recipients_each_get_it_once() -> None:
    had: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 there ESMTP\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                verb = line[:4]
                if verb == b"RCPT":
                    had.append(line.strip())
                if verb == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    while next(lines) != b".\r\n":
                        pass
                connection.sendall(
                    b"250-there\r\n250 PIPELINING\r\n"
                    if verb == b"EHLO"
                    else b"250 OK\r\n"
                )

    other = Host(talk)
    route = f'[[route]]\ndomain = "far.example"\nhost = "{HOST}"\nport = {other.port}\n'
    server = Server((ALICE,), CONFIGURATION + route, account="nobody")
    (server.directory / "aliases").write_text("")
    with server:
        names = [f"member{number}@far.example" for number in range(10_000)]
        text = "To: " + ",\n ".join(names) + "\nSubject: all\n\nhello\n"
        handed = _sendmail(server, text, "-t", "-f", ALICE.address)
        assert (handed.returncode, handed.stderr) == (0, "")
        until(lambda: "removed from the queue" in server.log(), "the end")
        assert sorted(had) == sorted(f"RCPT TO:<{name}>".encode() for name in names)
        assert server.log().count(" info queue ") >= 10_000
        assert server.trouble() == []
    other.close()


def test_injection_through_a_name_is_refused(host: Server) -> None:
    """Nothing is handed in; the exit status is EX_DATAERR."""
    name = "Eve\nBcc: ben@" + DOMAIN
    refused = _sendmail(host, "Subject: x\n\nx\n", "-F", name, ALICE.address)
    assert refused.returncode == os.EX_DATAERR
    assert "a name with a control character" in refused.stderr
    assert os.listdir(host.state / "queue" / "drop") == []


def _sendmail(
    server: Server, text: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "maildrop", "--config", server.file, "sendmail", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

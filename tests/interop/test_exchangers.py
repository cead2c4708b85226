"""Mail leaves by MX records, through a DNS server, and for who asks by ETRN.

Two servers: one sends, by what ``maildrop sendmail`` hands in; the other takes mail on
port 25 of its addresses.
"""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.network import Network
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, Server, until

IPV4, DEAD, IPV6 = "192.0.2.25", "192.0.2.66", "2001:db8::25"
MX1 = "mx1.far.example"
DOMAINS = ["far.example", "second.example", "plain.example", "six.example"]
ZONES = {
    "far.example": f"""
    MX("far.example", 10, "{MX1}", ttl=60),
    A("{MX1}", "{IPV4}", ttl=60),
    A("dead.far.example", "{DEAD}", ttl=60),
    AAAA("six.far.example", "{IPV6}", ttl=60),
    """,
    "second.example": f"""
    MX("second.example", 10, "dead.far.example", ttl=60),
    MX("second.example", 20, "{MX1}", ttl=60),
    """,
    "plain.example": f'A("plain.example", "{IPV4}", ttl=60),',
    "six.example": 'MX("six.example", 0, "six.far.example", ttl=60),',
    "null.example": 'MX("null.example", 0, "", ttl=60),',
    "loop.example": """
    MX("loop.example", 10, "mail.example.org", ttl=60),
    MX("loop.example", 20, "mx1.far.example", ttl=60),
    """,
    "down.example": 'MX("down.example", 0, "dead.far.example", ttl=60),',
}
_IPV6 = IPV6.replace(":", r"\\:")
THERE = f"""
[[listen]]
protocol = "smtp"
endpoint = "tcp:25:interface={IPV4}"
[[listen]]
protocol = "smtp"
endpoint = "tcp6:25:interface={_IPV6}"
"""
HERE = """
[[listen]]
protocol = "smtp"
endpoint = "unix:DIRECTORY/smtp.sock:mode=600"
[[listen]]
protocol = "smtp"
endpoint = "tcp:25:interface=192.0.2.1"
[relay]
etrn = ["far.example"]
ca = "CA"
[[route]]
domain = "far.example"
tls = "verified"
[queue]
rest = "1s"
"""


@dataclass(frozen=True)
class Hosts:
    """Who is in the network."""

    network: Network
    here: Server
    there: Server


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with contextlib.ExitStack() as stack:
        addresses = (IPV4, DEAD, IPV6, "192.0.2.1")
        network = stack.enter_context(Network(addresses, ZONES))
        there = Server(
            [MAILDIR], THERE, domains=DOMAINS, wrapper=network.wrapper, hostname=MX1
        )
        stack.enter_context(there)
        configuration = HERE.replace("CA", str(there.certificate))
        here = Server([MAILDIR], configuration, wrapper=network.wrapper, ports=["imap"])
        stack.enter_context(here)
        yield Hosts(network, here, there)
        assert here.trouble() == there.trouble() == []


def send(hosts: Hosts, *recipients: str) -> None:
    """Maria sends, by sendmail."""
    letter = f"Subject: to {' '.join(recipients)}\n\nx\n"
    arguments = ("sendmail", "-f", MAILDIR.address, *recipients)
    ended = hosts.here.maildrop(*arguments, given=letter)
    assert ended.returncode == 0, ended.stderr


def inbox(server: Server) -> set[Path]:
    """What came."""
    return set((server.maildir(MAILDIR) / "new").glob("*"))


def came(server: Server, before: set[Path]) -> bytes:
    """The next message that comes."""
    [path] = until(lambda: inbox(server) - before, "mail")
    return path.read_bytes()


def waiting(hosts: Hosts) -> list[Any]:
    found: list[Any] = json.loads(hosts.here.maildrop("queue", "list", "--json").stdout)
    return found


@pytest.mark.parametrize("domain", DOMAINS)
def test_mail_finds_its_exchanger(hosts: Hosts, domain: str) -> None:
    """RFC 5321 sections 5.1 and 5.2: one that is dead, none but the host, IPv6."""
    before = inbox(hosts.there)
    send(hosts, f"{MAILDIR.name}@{domain}")
    octets = came(hosts.there, before)
    assert octets.startswith(f"Return-Path: <{MAILDIR.address}>\n".encode())
    assert f"Delivered-To: {MAILDIR.name}@{domain}\n".encode() in octets
    assert b"(using TLSv1.3" in octets
    assert (b"[IPv6:" in octets.partition(b"\n\n")[0]) == (domain == "six.example")


@pytest.mark.parametrize(
    ("domain", "code"),
    [
        ("null.example", "5.1.10"),
        ("nothing.far.example", "5.1.2"),
        ("loop.example", "5.4.6"),
    ],
)
def test_what_has_no_exchanger_goes_back(hosts: Hosts, domain: str, code: str) -> None:
    """RFC 7505; RFC 5321 section 5.1 about lower preferences than our own."""
    before = inbox(hosts.here)
    send(hosts, f"{MAILDIR.name}@{domain}")
    report = came(hosts.here, before).decode()
    assert f"\nStatus: {code}\n" in report


def test_two_domains_of_one_message_go_two_ways(hosts: Hosts) -> None:
    before = inbox(hosts.there)
    send(hosts, "maria@far.example", "maria@six.example", "maria@plain.example")
    until(lambda: len(inbox(hosts.there)) == len(before) + 3, "three copies")
    new = inbox(hosts.there) - before
    domains = ("far.example", "six.example", "plain.example")
    told = {path.read_text().splitlines()[1] for path in new}
    assert told == {f"Delivered-To: maria@{each}" for each in domains}


def test_who_was_away_asks_for_its_mail(hosts: Hosts, programs: Programs) -> None:
    """RFC 1985, with fetchmail as the client; the next attempt is a minute away."""
    before = inbox(hosts.there)
    hosts.there.kill()
    send(hosts, "maria@far.example")
    send(hosts, "maria@down.example")
    until(lambda: [each["why"] != "" for each in waiting(hosts)] == [True] * 2)
    hosts.there.start()
    rc = programs.file("fetchmailrc", "poll 192.0.2.1 protocol etrn user far.example\n")
    programs.run(
        "nsenter",
        *hosts.network.wrapper[1:],
        *("fetchmail", "--fetchmailrc", rc, "--nosyslog", "--invisible"),
        *("--pidfile", programs.home / "pid", "--fetchdomains", "far.example"),
    )
    octets = came(hosts.there, before)
    assert b"Delivered-To: maria@far.example\n" in octets
    until(lambda: len(waiting(hosts)) == 1, "what came to be forgotten here")
    [left] = waiting(hosts)
    assert left["recipients"] == "maria@down.example"
    assert hosts.here.maildrop("queue", "delete", left["id"]).returncode == 0


def test_etrn_is_not_for_everybody(hosts: Hosts) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(hosts.here.directory / "smtp.sock"))
        client.sendall(b"EHLO x\r\nETRN other.example\r\nETRN far.example\r\nQUIT\r\n")
        told = b""
        while octets := client.recv(4096):
            told += octets
    assert b"\r\n250 ETRN\r\n" in told
    assert b"\r\n459 " in told
    assert b"\r\n251 " in told

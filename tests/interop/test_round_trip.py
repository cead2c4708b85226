"""All the way round, through a Postfix that is smarthost and front at once.

From a mail user agent over submission into the queue, to Postfix, which knows that
``far.example`` is ours after all, back by LMTP, out by IMAP; and reports on it (RFC
3461).  Both are configured as ``docs/integrating.md`` says.
"""

import re
import smtplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.interop.clients import HOST, SENDER, imap_messages, message, trust
from tests.interop.documented import example
from tests.interop.front import Front
from tests.interop.ports import free_port
from tests.interop.programs import Programs
from tests.interop.server import DOMAIN, MAILDIR, MBOX, PASSWORD, Server, until

#: An alias ends a question for success (RFC 3461 section 5.2.7.3), as Postfix sees it;
#: a canonical address does not.
ALIASES = f"""
virtual_alias_domains = far.example
recipient_canonical_maps = inline:{{ max@far.example={MBOX.address} }}
virtual_alias_maps = inline:{{
    {{ maria@far.example = {MAILDIR.address} }},
    {{ gone@far.example = nobody@{DOMAIN} }} }}
"""
MORE = """
[delivery]
aliases = ["aliases"]
"""


@dataclass(frozen=True)
class Hosts:
    """Who takes part."""

    postfix: Front
    maildrop: Server


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    port = {"10025": free_port()}
    main = example("LMTP", "main.cf", {}) + ALIASES
    postfix = Front(main, example("Postfix as smarthost", "master.cf", port))
    postfix.check()
    queue = postfix.directory / "queue"
    listen = example("LMTP", "maildrop.toml", {"/var/spool/postfix": queue})
    relay = example("Postfix as smarthost", "maildrop.toml", port)
    server = Server(configuration=f"{listen}\n{relay}\n{MORE}")
    aliases = "onward: unknown@far.example\n"
    (server.directory / "aliases").write_text(aliases)
    with server, postfix:
        yield Hosts(postfix, server)
        assert server.trouble() == []


def submit(
    hosts: Hosts,
    name: str,
    recipient: str,
    mail: Sequence[str] = (),
    rcpt: Sequence[str] = (),
) -> None:
    """Maria submits a message, with parameters of MAIL and RCPT."""
    server = hosts.maildrop
    with smtplib.SMTP(HOST, server.ports["submission"], timeout=30) as client:
        client.starttls(context=trust(server))
        client.login(MAILDIR.name, PASSWORD)
        client.sendmail(MAILDIR.address, [recipient], message(name), mail, rcpt)


def count(hosts: Hosts) -> int:
    return len(imap_messages(hosts.maildrop, MAILDIR))


def reports(hosts: Hosts, before: int) -> list[bytes]:
    """What Maria was told since; waits for something, and for the queues to empty."""
    until(lambda: count(hosts) > before, "a report")
    queued = lambda: hosts.maildrop.maildrop("queue", "list", "--json").stdout  # noqa: E731
    until(lambda: queued().strip() == "[]", "an empty queue")
    return imap_messages(hosts.maildrop, MAILDIR)[before:]


def field(report: bytes, name: str) -> str:
    """A field of the part for programs; empty if it is not there."""
    found = re.search(rf"^{name}: (.*)\r$".encode(), report, re.MULTILINE)
    return found[1].decode().replace(" ", "") if found else ""


def came_round(octets: bytes, protocol: bytes) -> bool:
    """Whether it was received here, at Postfix and here again."""
    header = octets.partition(b"\r\n\r\n")[0]
    stations = re.findall(rb"\tby (\S+) (?:\(Postfix\) )?with (\S+)", header)
    stations += re.findall(rb" by (\S+) \(Postfix\) with (\S+)", header)
    return (b"mail.example.org", protocol) in stations and b"front.test" in header


@pytest.mark.parametrize("program", ["mutt", "s-nail", "curl"])
def test_a_message_goes_all_the_way_round(
    hosts: Hosts, programs: Programs, program: str
) -> None:
    before = len(imap_messages(hosts.maildrop, MBOX))
    port = hosts.maildrop.ports["submission"]
    ca = hosts.maildrop.certificate
    text = "Grüße\n.\nFrom me\n".encode()
    if program == "mutt":
        rc = programs.file(
            "muttrc",
            f"set smtp_url=smtp://{MAILDIR.name}@localhost:{port}/\n"
            f'set smtp_pass="{PASSWORD}" ssl_starttls=yes ssl_force_tls=yes\n'
            f"set ssl_ca_certificates_file={ca} certificate_file={ca}\n"
            f"set from={MAILDIR.address} envelope_from_address={MAILDIR.address}\n"
            "set copy=no charset=utf-8 send_charset=utf-8 use_8bitmime\n",
        )
        to = ("-s", "round", "--", "max@far.example")
        programs.run("mutt", "-n", "-F", rc, *to, given=text)
    elif program == "s-nail":
        user = f"{MAILDIR.name}:{PASSWORD.replace(' ', '%20')}"
        programs.run(
            "s-nail",
            *("-:/", "-Sv15-compat", f"-Smta=smtp://{user}@localhost:{port}"),
            *("-Ssmtp-use-starttls", "-Stls-verify=strict", f"-Stls-ca-file={ca}"),
            *("-Ssendcharsets=utf-8", "-Smime-encoding=8b", "-Ssmtp-auth=plain"),
            *("-r", MAILDIR.address, "-s", "round", "max@far.example"),
            given=text,
        )
    else:
        letter = programs.file("letter", b"Subject: round\n\n" + text)
        programs.run(
            "curl",
            *("--silent", "--show-error", "--crlf", "--ssl-reqd", "--cacert", ca),
            *("--user", f"{MAILDIR.name}:{PASSWORD}", "--upload-file", letter),
            *("--mail-from", MAILDIR.address, "--mail-rcpt", "max@far.example"),
            f"smtp://localhost:{port}",
        )
    new = until(lambda: imap_messages(hosts.maildrop, MBOX)[before:], "the message")
    [octets] = new
    assert octets.startswith(f"Return-Path: <{MAILDIR.address}>\r\n".encode())
    assert octets.endswith(text.replace(b"\n", b"\r\n"))
    assert b"Subject: round\r\n" in octets
    assert came_round(octets, b"ESMTPSA")
    assert came_round(octets, b"LMTP")


def test_success_is_told_by_who_delivered(hosts: Hosts) -> None:
    """Out to Postfix, which changes the address, and back: ENVID and ORCPT stay."""
    before = count(hosts)
    asked = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2Blist@far.example"]
    submit(hosts, "success", "max@far.example", ["RET=HDRS", "ENVID=E1+2B1"], asked)
    [report] = reports(hosts, before)
    assert field(report, "Reporting-MTA") == "dns;mail.example.org"
    assert field(report, "Original-Envelope-Id") == "E1+1"
    assert field(report, "Original-Recipient") == "rfc822;first+list@far.example"
    assert field(report, "Final-Recipient") == f"rfc822;{MBOX.address}"
    assert field(report, "Action") == "delivered"


def test_failure_behind_postfix_is_told_by_postfix(hosts: Hosts) -> None:
    before = count(hosts)
    asked = ["NOTIFY=FAILURE", "ORCPT=rfc822;lost@far.example"]
    submit(hosts, "failure", "gone@far.example", ["RET=HDRS", "ENVID=E2"], asked)
    [report] = reports(hosts, before)
    assert field(report, "Reporting-MTA") == "dns;front.test"
    assert field(report, "Original-Envelope-Id") == "E2"
    assert field(report, "Original-Recipient") == "rfc822;lost@far.example"
    assert field(report, "Action") == "failed"
    assert field(report, "Status") == "5.1.1"
    assert b"Good day." not in report  # RET=HDRS


def test_failure_at_postfix_is_told_by_us(hosts: Hosts) -> None:
    before = count(hosts)
    asked = ["NOTIFY=FAILURE", "ORCPT=rfc822;other@far.example"]
    submit(hosts, "refused", "unknown@far.example", ["RET=FULL", "ENVID=E3"], asked)
    [report] = reports(hosts, before)
    assert field(report, "Reporting-MTA") == "dns;mail.example.org"
    assert field(report, "Remote-MTA").startswith("dns;localhost")
    assert field(report, "Original-Envelope-Id") == "E3"
    assert field(report, "Original-Recipient") == "rfc822;other@far.example"
    assert field(report, "Status") == "5.1.1"
    assert b"Good day." in report  # RET=FULL


def test_who_wants_to_hear_nothing_does_not(hosts: Hosts) -> None:
    """NOTIFY=NEVER at Postfix and here; what fails after them is told."""
    before, start = count(hosts), len(hosts.postfix.logged())
    for recipient in ("gone@far.example", "unknown@far.example"):
        submit(hosts, "never", recipient, rcpt=["NOTIFY=NEVER"])
    bounced = "orig_to=<gone@far.example>"
    until(lambda: bounced in hosts.postfix.logged()[start:], "a bounce")
    submit(hosts, "told", "unknown@far.example")
    [report] = reports(hosts, before)
    assert b"\r\nSubject: told\r\n" in report


def test_what_is_forwarded_and_fails_is_told_the_first_sender(hosts: Hosts) -> None:
    """By Postfix in, out again with a sender of ours (SRS), and the report back.

    RFC 3461 section 5.2.7.1: an alias of one address keeps ENVID, NOTIFY and ORCPT.
    """
    before = count(hosts)
    with smtplib.SMTP(HOST, hosts.postfix.port) as client:
        client.sendmail(
            "maria@far.example",
            [f"onward@{DOMAIN}"],
            message("forwarded"),
            ["RET=HDRS", "ENVID=E4"],
            ["NOTIFY=FAILURE", f"ORCPT=rfc822;onward@{DOMAIN}"],
        )
    [report] = reports(hosts, before)
    assert field(report, "Original-Envelope-Id") == "E4"
    assert field(report, "Original-Recipient") == f"rfc822;onward@{DOMAIN}"
    assert field(report, "Action") == "failed"
    assert report.startswith(b"Return-Path: <>\r\n")


def test_success_is_asked_by_strangers_too(hosts: Hosts) -> None:
    """A message from outside; the report leaves through Postfix, and comes back."""
    before = count(hosts)
    with smtplib.SMTP(HOST, hosts.postfix.port) as client:
        client.sendmail(
            "maria@far.example",
            [MBOX.address],
            message("asked"),
            ["ENVID=E5"],
            ["NOTIFY=SUCCESS", f"ORCPT=rfc822;{MBOX.address}"],
        )
    [report] = reports(hosts, before)
    assert field(report, "Original-Envelope-Id") == "E5"
    assert field(report, "Action") == "delivered"
    assert came_round(report, b"LMTP")
    assert SENDER.encode() in report  # the header of the message

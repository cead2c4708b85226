"""fetchmail and getmail bring mail from a provider: by LMTP, by SMTP, by ``deliver``.

The provider is a maildrop too; they are configured as ``docs/integrating.md`` says.
"""

from collections.abc import Iterator

import pytest

from tests.interop.clients import (
    assert_whole,
    deliver,
    imap,
    imap_messages,
    message,
    pop3_messages,
)
from tests.interop.documented import example
from tests.interop.programs import Programs
from tests.interop.reachable import Reachable
from tests.interop.server import DOMAIN, MAILDIR, MBOX, PASSWORD, Server

SENT = [
    message("one"),
    message("two", b".\r\n..\r\nFrom me\r\n" + bytes(range(128, 256)) + b"\r\n"),
    message("large", b"%070d\r\n" % 7 * 20_000),
]


@pytest.fixture(scope="module")
def command() -> Iterator[Reachable]:
    with Reachable() as found:
        yield found


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    with Server(domains=(DOMAIN, "localhost")) as server:
        yield server
        assert server.trouble() == []


@pytest.fixture(scope="module")
def filled() -> Iterator[Server]:
    with Server((MBOX,), ports=["pop3s", "imap", "imaps", "lmtp"]) as server:
        yield server
        assert server.trouble() == []


@pytest.fixture
def provider(filled: Server) -> Iterator[Server]:
    deliver(filled, MBOX, *SENT)
    yield filled
    with imap(filled, MBOX) as client:
        client.select()
        client.uid("STORE", "1:*", "+FLAGS", "\\Deleted")
        client.expunge()


def program(command: Reachable, server: Server) -> str:
    return f"{command.maildrop} --config {server.file}"


def fetchmail(
    programs: Programs, provider: Server, *lines: str, status: tuple[int, ...] = (0,)
) -> None:
    rc = programs.file("fetchmailrc", "\n".join(lines) + "\n")
    programs.run(
        "fetchmail",
        *("--fetchmailrc", rc, "--nosyslog", "--sslcertck", "--sslcertfile"),
        *(provider.certificate, "--pidfile", programs.home / "pid"),
        status=status,
    )


@pytest.mark.parametrize("way", ["by LMTP", "by SMTP", "by deliver"])
def test_fetchmail(
    ours: Server, provider: Server, programs: Programs, command: Reachable, way: str
) -> None:
    before = len(imap_messages(ours, MAILDIR))
    there = f"localhost protocol pop3 service {provider.ports['pop3s']}"
    names = {
        "pop.provider.example protocol pop3": there,
        'user "ann.example"': f'user "{MBOX.name}" password "{PASSWORD}"',
        '"ann" here': f'"{MAILDIR.name}" here',
    }
    if way == "by LMTP":
        names["localhost/24"] = f"localhost/{ours.ports['lmtp']}"
    elif way == "by SMTP":
        names["localhost/25"] = f"localhost/{ours.ports['smtp']}"
    else:
        names["/opt/maildrop/bin/maildrop"] = program(command, ours)
    fetchmail(programs, provider, example("fetchmail", way, names))
    came = imap_messages(ours, MAILDIR)[before:]
    for octets, sent in zip(came, SENT, strict=True):
        assert octets.startswith(b"Return-Path: <sender@elsewhere.example>\r\n")
        assert octets.endswith(sent)
    assert pop3_messages(provider, MBOX, "pop3s") == []


@pytest.mark.parametrize("kind", ["POP3", "IMAP"])
def test_getmail(
    ours: Server, provider: Server, programs: Programs, command: Reachable, kind: str
) -> None:
    before = len(imap_messages(ours, MAILDIR))
    names = {
        "/opt/maildrop/bin/maildrop": command.maildrop,
        '("deliver"': f'("--config", "{ours.file}", "deliver"',
        '"ann"': f'"{MAILDIR.name}"',
    }
    rc = programs.file(
        "getmailrc",
        f"[retriever]\ntype = Simple{kind}SSLRetriever\nserver = localhost\n"
        f"port = {provider.ports[f'{kind.lower()}s']}\nusername = {MBOX.name}\n"
        f"password = {PASSWORD}\nca_certs = {provider.certificate}\n"
        "[options]\ndelete = true\nverbose = 0\n"
        f"{example('getmail', 'getmailrc', names)}\nallow_root_commands = true\n",
    )
    programs.run("getmail", "--getmaildir", programs.home, "--rcfile", rc)
    came = imap_messages(ours, MAILDIR)[before:]
    note = b"X-getmail-retrieved-from-mailbox: INBOX\r\n"
    for octets, sent in zip(came, SENT, strict=True):
        assert octets.startswith(b"Return-Path: <sender@elsewhere.example>\r\n")
        assert octets.replace(note, b"", 1).endswith(sent)
    assert pop3_messages(provider, MBOX, "pop3s") == []


def test_what_cannot_be_delivered_stays_where_it_is(
    ours: Server, provider: Server, programs: Programs, command: Reachable
) -> None:
    """A program that fetches mail must not remove what it could not deliver."""
    fetchmail(
        programs,
        provider,
        f"poll localhost protocol imap service {provider.ports['imaps']}",
        f'user "{MBOX.name}" password "{PASSWORD}" ssl fetchall no rewrite',
        f'mda "{program(command, ours)} deliver -d nobody"',
        status=(0, 1, 6),
    )
    assert_whole(imap_messages(provider, MBOX), SENT)

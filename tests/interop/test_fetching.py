"""Programs that carry all mail of a mailbox away: fetchmail and getmail."""

from collections.abc import Iterator

import pytest

from tests.interop.clients import (
    assert_whole,
    awkward,
    deliver,
    imap_messages,
    message,
    pop3_messages,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
PLAIN = [
    message("first"),
    message("dots", b".\r\n..\r\n...\r\n"),
    message("from-lines", b"From me\r\n>From you\r\n\r\nFrom them\r\n"),
    message("eight-bit", bytes(range(128, 256)) + b"\r\n"),
    message("empty", b""),
    message("large", b"%070d\r\n" % 7 * 10_000),
]


@pytest.fixture
def filled() -> Iterator[Server]:
    with Server() as server:
        for user in (MAILDIR, MBOX):
            deliver(server, user, *PLAIN)
        yield server
        assert server.trouble() == []


def fetchmail(programs: Programs, server: Server, *lines: str) -> None:
    rc = programs.file("fetchmailrc", "\n".join(lines) + "\n")
    arguments = ("--fetchmailrc", rc, "--nosyslog", "--invisible", "--sslcertck")
    certificate = ("--sslcertfile", server.certificate)
    programs.run(
        "fetchmail", *arguments, *certificate, "--pidfile", programs.home / "pid"
    )


def stored_by(programs: Programs) -> str:
    """A command that stores each message in a file of its own; gives its name."""
    (programs.home / "out").mkdir()
    return str(
        programs.file(
            "store",
            '#!/bin/sh\nn=$(ls "$HOME/out" | wc -l)\n'
            'cat > "$HOME/out/$(printf %03d "$n")"\n',
            0o700,
        )
    )


def stored(programs: Programs) -> list[bytes]:
    files = sorted((programs.home / "out").iterdir())
    return [path.read_bytes().replace(b"\n", b"\r\n") for path in files]


@USERS
@pytest.mark.parametrize("protocol", ["pop3", "pop3s", "imap", "imaps"])
def test_fetchmail_takes_all_and_leaves_nothing(
    filled: Server, programs: Programs, user: User, protocol: str
) -> None:
    tls = "ssl" if protocol.endswith("s") else "sslproto TLS1.2+"
    fetchmail(
        programs,
        filled,
        f"poll localhost protocol {protocol.removesuffix('s')} "
        f"service {filled.ports[protocol]}",
        f'user "{user.name}" password "{PASSWORD}" {tls} fetchall no keep no rewrite',
        f"mda {stored_by(programs)}",
    )
    assert_whole(stored(programs), PLAIN)
    assert imap_messages(filled, user) == []


@USERS
@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_fetchmail_takes_what_is_new(
    filled: Server, programs: Programs, user: User, protocol: str
) -> None:
    """By UIDL over POP3, by flags over IMAP."""
    lines = (
        f"poll localhost protocol {protocol} service {filled.ports[protocol]} "
        + ("uidl" if protocol == "pop3" else ""),
        f'user "{user.name}" password "{PASSWORD}" sslproto TLS1.2+ keep no rewrite',
        f"mda {stored_by(programs)}",
    )
    fetchmail(programs, filled, *lines)
    assert len(stored(programs)) == len(PLAIN)
    late = message("late")
    deliver(filled, user, late)
    fetchmail(programs, filled, *lines)
    assert_whole(stored(programs), [*PLAIN, late])
    assert len(imap_messages(filled, user)) == len(PLAIN) + 1


def test_fetchmail_carries_mail_from_one_user_to_the_other(
    filled: Server, programs: Programs
) -> None:
    """POP3 from the mbox, LMTP into the Maildir."""
    fetchmail(
        programs,
        filled,
        f"poll localhost protocol pop3 service {filled.ports['pop3']}",
        f'user "{MBOX.name}" there is "{MAILDIR.address}" here password "{PASSWORD}"',
        "sslproto TLS1.2+ fetchall no rewrite forcecr lmtp",
        f'smtphost "localhost/{filled.ports["lmtp"]}" smtpname {MAILDIR.address}',
    )
    carried = pop3_messages(filled, MAILDIR)[len(PLAIN) :]
    assert len(carried) == len(PLAIN)
    for got, sent in zip(carried, PLAIN, strict=True):
        assert got.endswith(sent)
    assert pop3_messages(filled, MBOX) == []


@USERS
@pytest.mark.parametrize("kind", ["SimplePOP3SSLRetriever", "SimpleIMAPSSLRetriever"])
def test_getmail(filled: Server, programs: Programs, user: User, kind: str) -> None:
    port = filled.ports["pop3s" if "POP3" in kind else "imaps"]
    rc = programs.file(
        "getmailrc",
        f"[retriever]\ntype = {kind}\nserver = localhost\nport = {port}\n"
        f"username = {user.name}\npassword = {PASSWORD}\n"
        f"ca_certs = {filled.certificate}\n"
        f"[destination]\ntype = MDA_external\npath = {stored_by(programs)}\n"
        "allow_root_commands = true\nunixfrom = false\n"
        "[options]\ndelete = true\nverbose = 0\n"
        "delivered_to = false\nreceived = false\n",
    )
    programs.run("getmail", "--getmaildir", programs.home, "--rcfile", rc)
    note = b"X-getmail-retrieved-from-mailbox: INBOX\r\n"
    got = [octets.replace(note, b"", 1) for octets in stored(programs)]
    assert_whole(got, PLAIN)
    assert imap_messages(filled, user) == []


@USERS
def test_fetchmail_takes_what_is_hard_to_keep(user: User, programs: Programs) -> None:
    with Server() as server:
        sent = awkward()
        deliver(server, user, *sent)
        fetchmail(
            programs,
            server,
            f"poll localhost protocol imap service {server.ports['imaps']} "
            "bad-header accept",
            f'user "{user.name}" password "{PASSWORD}" ssl fetchall no rewrite',
            f"mda {stored_by(programs)}",
        )
        assert len(stored(programs)) == len(sent)
        assert imap_messages(server, user) == []

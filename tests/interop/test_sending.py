"""Mail goes in by every way there is, and is stored whole."""

import smtplib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import (
    HOST,
    SENDER,
    Wire,
    assert_whole,
    awkward,
    imap_messages,
    lmtp,
    message,
    pop3_messages,
    trust,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, User

Way = Callable[[Server, Programs, User, bytes], None]

#: Eight-bit octets, lines with dots, lines that look like the start of a message; no
#: line end at the end, because swaks puts one there (and takes a last dot away).
LETTER: Final = message(
    "letter",
    b".\r\n..dots\r\n\r\nFrom me\r\n\r\n" + bytes(range(128, 256)) + b"\r\nend",
)


def smtp(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    del programs
    with smtplib.SMTP(HOST, server.ports["smtp"]) as client:
        client.sendmail(SENDER, [user.address], octets)


def smtp_starttls(
    server: Server, programs: Programs, user: User, octets: bytes
) -> None:
    del programs
    with smtplib.SMTP(HOST, server.ports["smtp"]) as client:
        client.starttls(context=trust(server))
        client.sendmail(SENDER, [user.address], octets, ["BODY=8BITMIME"])


def submission(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    del programs
    with smtplib.SMTP(HOST, server.ports["submission"]) as client:
        client.starttls(context=trust(server))
        client.login(user.name, PASSWORD)
        client.sendmail(user.address, [user.address], octets)


def by_lmtp(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    del programs
    with lmtp(server) as client:
        assert client.sendmail(SENDER, [user.address], octets) == {}


def in_chunks(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    """RFC 3030: BDAT, cut in the middle of a line end."""
    del programs
    octets += b"\r\n"
    cut = octets.index(b"\r\n") + 1
    with Wire(server, "smtp") as wire:
        wire.line()
        wire.send(b"EHLO client.example\r\n")
        wire.until(b"250 ")
        wire.send(f"MAIL FROM:<{SENDER}>\r\n".encode())
        wire.send(f"RCPT TO:<{user.address}>\r\n".encode())
        wire.send(b"BDAT %d\r\n" % cut + octets[:cut])
        wire.send(b"BDAT %d LAST\r\n" % (len(octets) - cut) + octets[cut:])
        assert [wire.line()[:3] for _ in range(4)] == [b"250"] * 4


def by_hand(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    """What a person types into telnet, one key at a time, without brackets."""
    del programs
    dialogue = [
        (b"", b"220"),
        (b"HELO me\r\n", b"250"),
        (f"mail from: {SENDER}\r\n".encode(), b"250"),
        (f"rcpt to:{user.address}\r\n".encode(), b"250"),
        (b"data\r\n", b"354"),
    ]
    with Wire(server, "smtp") as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line, reply in dialogue:
            for octet in line:
                wire.send(bytes([octet]))
            assert wire.line().startswith(reply)
        stuffed = b"\r\n" + octets
        wire.send(stuffed.replace(b"\r\n.", b"\r\n..")[2:] + b"\r\n.\r\n")
        assert wire.line().startswith(b"250")


def swaks_smtp(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    _swaks(server, programs, "smtp", octets, SENDER, user, *_tls(server))


def swaks_submission(
    server: Server, programs: Programs, user: User, octets: bytes
) -> None:
    login = ("--auth", "PLAIN", "--auth-user", user.name, "--auth-password", PASSWORD)
    arguments = (*_tls(server), *login)
    _swaks(server, programs, "submission", octets, user.address, user, *arguments)


def swaks_login(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    login = ("--auth", "LOGIN", "--auth-user", user.name, "--auth-password", PASSWORD)
    _swaks(server, programs, "submission", octets, user.address, user, *login)


def swaks_lmtp(server: Server, programs: Programs, user: User, octets: bytes) -> None:
    _swaks(server, programs, "lmtp", octets, SENDER, user, "--protocol", "LMTP")


def _tls(server: Server) -> tuple[object, ...]:
    return ("--tls", "--tls-verify", "--tls-ca-path", server.certificate)


def _swaks(
    server: Server,
    programs: Programs,
    port: str,
    octets: bytes,
    sender: str,
    user: User,
    *arguments: object,
) -> None:
    data = programs.file("letter", octets.replace(b"\r\n", b"\n"))
    programs.run(
        "swaks",
        *("--server", HOST, "--port", server.ports[port], "--data", f"@{data}"),
        *("--from", sender, "--to", user.address),
        *arguments,
    )


def curl_submission(
    server: Server, programs: Programs, user: User, octets: bytes
) -> None:
    data = programs.file("letter", octets + b"\r\n")
    programs.run(
        "curl",
        *("--silent", "--show-error", "--ssl-reqd", "--cacert", server.certificate),
        *("--user", f"{user.name}:{PASSWORD}", "--upload-file", data),
        *("--mail-from", user.address, "--mail-rcpt", user.address),
        f"smtp://localhost:{server.ports['submission']}",
    )


WAYS: Final[list[Way]] = [
    smtp,
    smtp_starttls,
    submission,
    by_lmtp,
    in_chunks,
    by_hand,
    swaks_smtp,
    swaks_submission,
    swaks_login,
    swaks_lmtp,
    curl_submission,
]


@pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_message_is_stored_as_it_was_sent(
    server: Server, programs: Programs, way: Way, user: User
) -> None:
    before = len(imap_messages(server, user))
    way(server, programs, user, LETTER)
    stored = imap_messages(server, user)
    assert_whole(stored[before:], [LETTER + b"\r\n"])
    assert pop3_messages(server, user)[before:] == stored[before:]


def test_a_message_for_both_is_stored_for_both(server: Server) -> None:
    before = [len(imap_messages(server, user)) for user in (MAILDIR, MBOX)]
    addresses = [MAILDIR.address, MBOX.address]
    with smtplib.SMTP(HOST, server.ports["smtp"]) as client:
        assert client.sendmail(SENDER, addresses, LETTER) == {}
    for user, count in zip((MAILDIR, MBOX), before, strict=True):
        assert_whole(imap_messages(server, user)[count:], [LETTER + b"\r\n"])


def test_lmtp_is_taken_from_a_unix_socket() -> None:
    configuration = (
        '[[listen]]\nprotocol = "lmtp"\ntls = "none"\n'
        'endpoint = "unix:DIRECTORY/lmtp.sock:mode=600"\n'
    )
    with Server(configuration=configuration) as server:
        path = str(server.directory / "lmtp.sock")
        with smtplib.LMTP(path) as client:
            client.sendmail(SENDER, [MBOX.address], LETTER)
        assert_whole(imap_messages(server, MBOX), [LETTER + b"\r\n"])
    assert not Path(path).exists()


@pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
def test_what_others_get_wrong_is_kept(user: User) -> None:
    """Dots, From_ lines, NUL, long lines, fields of the mbox format, no header."""
    with Server() as server:
        sent = awkward()
        with lmtp(server) as client:
            for octets in sent:
                assert client.sendmail(SENDER, [user.address], octets) == {}
        assert_whole(imap_messages(server, user), sent)
        assert_whole(pop3_messages(server, user), sent)
        assert server.trouble() == []

"""SMTP on standard input and output."""

import os
from pathlib import Path

import pytest

from maildrop.app.dialogue import converse
from maildrop.durable import Disk
from maildrop.queue.drop import Dropped, parse, prepare
from maildrop.queue.naming import entry_id
from maildrop.sendmail.handing_in import Caller
from maildrop.sendmail.setting import Setting

HELLO = b"EHLO me\r\nMAIL FROM:<ann@example.org>\r\nRCPT TO:<bob>\r\n"
LETTER = b"Subject: hi\r\n\r\n..dots\r\nbody \xff\r\n.\r\n"


class Host:
    """A host with a drop directory."""

    def __init__(self, directory: Path) -> None:
        self.drop = directory / "queue" / "drop"
        prepare(str(self.drop), Disk())
        self.setting = Setting("f", str(directory), "mail.example.org", "x", 10_000)

    def talk(self, said: bytes, piece: int = 1 << 16) -> list[bytes]:
        pieces = [said[at : at + piece] for at in range(0, len(said), piece)]
        answers: list[bytes] = []
        converse(
            self.setting,
            Caller("ann", "Ann"),
            lambda most: pieces.pop(0) if pieces else b"",
            answers.append,
            Disk(),
            now=lambda: 1_790_000_000.0,
        )
        return b"".join(answers).splitlines()

    def left(self) -> list[tuple[Dropped, bytes]]:
        found = []
        for name in os.listdir(self.drop):
            octets = (self.drop / name).read_bytes()
            dropped, start = parse(octets)
            found.append((dropped, octets[start:]))
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_a_message_is_handed_in(host: Host, piece: int) -> None:
    said = HELLO + b"RCPT TO:<eve@far.example>\r\nDATA\r\n" + LETTER + b"QUIT\r\n"
    answers = host.talk(said, piece)
    assert answers[0].startswith(b"220 mail.example.org ESMTP")
    assert answers[-1].startswith(b"221 ")
    [(dropped, message)] = host.left()
    assert dropped == Dropped(
        ("bob", "eve@far.example"), "ann@example.org", protocol="ESMTP"
    )
    assert b"\r\nFrom: Ann <ann@example.org>\r\n" in message
    assert message.startswith(b"Date: ")
    assert message.endswith(b"\r\nSubject: hi\r\n\r\n.dots\r\nbody \xff\r\n")


def test_the_reply_has_the_id_that_the_message_goes_on_with(host: Host) -> None:
    answers = host.talk(HELLO + b"DATA\r\n" + LETTER)
    [name] = os.listdir(host.drop)
    file = host.drop / name
    told = entry_id(name, [file.read_bytes()], file.stat())
    assert answers[-1] == f"250 2.0.0 Stored, id {told}".encode()


def test_several_messages_are_handed_in(host: Host) -> None:
    once = b"MAIL FROM:<>\r\nRCPT TO:<bob>\r\nDATA\r\n" + LETTER
    host.talk(b"HELO me\r\n" + once * 50)
    assert len(host.left()) == 50
    assert {dropped.sender for dropped, _ in host.left()} == {""}
    assert {dropped.protocol for dropped, _ in host.left()} == {"SMTP"}


def test_wishes_for_reports_go_along(host: Host) -> None:
    """RFC 3461."""
    host.talk(
        b"EHLO me\r\nMAIL FROM:<a@x> RET=HDRS ENVID=id\r\n"
        b"RCPT TO:<bob> NOTIFY=SUCCESS\r\nRCPT TO:<eve> NOTIFY=NEVER\r\n"
        b"DATA\r\n" + LETTER
    )
    [(dropped, _)] = host.left()
    assert dropped.notify == ("SUCCESS",)
    assert (dropped.ret, dropped.envelope_id) == ("HDRS", "id")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (HELLO + b"DATA\r\n" + b"x" * 11_000 + b"\r\n.\r\n", b"552 "),
        (HELLO + b"AUTH PLAIN\r\n", b"500 "),
        (b"EHLO me\r\nSTARTTLS\r\n", b"502 "),
        (b"EHLO me\r\nMAIL FROM:<a b>\r\n", b"501 "),
        (b"nonsense\r\n", b"500 "),
    ],
)
def test_the_rules_are_those_of_the_server(
    host: Host, said: bytes, answer: bytes
) -> None:
    assert host.talk(said)[-1].startswith(answer)
    assert host.left() == []


def test_half_a_message_is_none(host: Host) -> None:
    host.talk(HELLO + b"DATA\r\n" + LETTER[:-3])
    assert host.left() == []


def test_what_cannot_be_written_is_refused_for_now(host: Host) -> None:
    host.drop.rmdir()
    assert host.talk(HELLO + b"DATA\r\n" + LETTER)[-1].startswith(b"451 ")

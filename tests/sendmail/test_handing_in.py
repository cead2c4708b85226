"""A message is taken from standard input and handed in."""

import io
import os
import pwd
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.errors import LimitExceeded
from maildrop.queue.drop import Dropped, parse, prepare
from maildrop.sendmail.handing_in import Caller, caller, hand_in, taken
from maildrop.sendmail.letter import NoAddress
from maildrop.sendmail.options import Misused, parse as options
from maildrop.sendmail.setting import Setting

ANN = Caller("ann", "Ann Example")
NOW = 1_790_000_000.0
DATE = b"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
MESSAGE_ID = b"Message-ID: <20260921141320.0000000000000000@mail.example.org>\r\n"
FROM = b"From: Ann Example <ann@example.org>\r\n"


class Host:
    """A host with a drop directory."""

    def __init__(self, directory: Path) -> None:
        self.setting = Setting(
            "maildrop.toml", str(directory), "mail.example.org", "example.org", 10_000
        )
        self.drop = directory / "queue" / "drop"
        prepare(str(self.drop), Disk())

    def send(self, line: str, message: bytes, *more: str) -> tuple[Dropped, bytes]:
        hand_in(
            options([*line.split(), *more]),
            self.setting,
            ANN,
            io.BytesIO(message),
            Disk(),
            now=lambda: NOW,
            random=bytes,
        )
        [name] = os.listdir(self.drop)
        octets = (self.drop / name).read_bytes()
        (self.drop / name).unlink()
        dropped, start = parse(octets)
        return dropped, octets[start:]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_is_missing_is_added(host: Host) -> None:
    """RFC 5322 section 3.6, RFC 6409 section 8."""
    dropped, message = host.send("-i bob", b"Subject: hi\n\nbody\n")
    assert dropped == Dropped(("bob",))
    assert message == DATE + FROM + MESSAGE_ID + b"Subject: hi\r\n\r\nbody\r\n"


def test_what_is_there_stays(host: Host) -> None:
    written = b"From: x@y\nMessage-id: <1@x>\nDATE: now\nTo: bob\n\nbody\n"
    _, message = host.send("-i bob", written)
    assert message == written.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("line", "sender", "author"),
    [
        ("-f www", "www", b"Ann Example <www@example.org>"),
        ("-f list@far.example", "list@far.example", b"Ann Example <list@far.example>"),
        ("-f <>", "", b"Ann Example <ann@example.org>"),
        ("-r Joe<joe@x>", "joe@x", b"Ann Example <joe@x>"),
        ("-F Cron", None, b"Cron <ann@example.org>"),
        ("-F (a,b)", None, b'"(a,b)" <ann@example.org>'),
        ("-F Jürgen", None, b"=?utf-8?B?SsO8cmdlbg==?= <ann@example.org>"),
    ],
)
def test_sender_and_name_may_be_asked_for(
    host: Host, line: str, sender: str | None, author: bytes
) -> None:
    dropped, message = host.send(line, b"\nbody\n", "bob")
    assert dropped.sender == sender
    assert b"\r\nFrom: " + author + b"\r\n" in message


def test_no_field_comes_in_through_the_name(host: Host) -> None:
    with pytest.raises(NoAddress):
        host.send("-i", b"", "-F", "x\r\nBcc: all@example.org", "bob")
    assert os.listdir(host.drop) == []


def test_recipients_are_named_or_in_the_header(host: Host) -> None:
    written = b"To: Bob <bob@x>, carl\nBcc: hidden@x\n\nbody\n"
    dropped, message = host.send("-ti", written, "named@x, more@x", "bob@x")
    assert dropped.recipients == ("named@x", "more@x", "bob@x", "carl", "hidden@x")
    assert b"hidden" not in message
    dropped, message = host.send("-i bob", written)
    assert dropped.recipients == ("bob",)
    assert b"Bcc: hidden@x\r\n" in message


def test_10000_recipients_in_a_header_are_taken(host: Host) -> None:
    members = [f"m{n}@x" for n in range(10_000)]
    host.setting = Setting("f", host.setting.state, "h", "d", 1 << 20)
    written = b"Bcc: " + ",\n ".join(members).encode() + b"\n\nbody\n"
    dropped, message = host.send("-ti", written)
    assert dropped.recipients == tuple(members)
    assert len(message) < 500


def test_more_recipients_than_fit_are_refused(host: Host) -> None:
    host.setting = Setting("f", host.setting.state, "h", "d", 1 << 24)
    members = ",\n ".join(f"m{n}@x" for n in range(25_000)).encode()
    with pytest.raises(LimitExceeded, match="25000 recipients"):
        host.send("-ti", b"Bcc: " + members + b"\n\nbody\n")
    assert os.listdir(host.drop) == []


def test_nobody_to_send_to_is_an_error(host: Host) -> None:
    for line, written in (("-i", b""), ("-t", b"Subject: x\n\n"), ("-t", b"To: a:;\n")):
        with pytest.raises(Misused, match="nobody"):
            host.send(line, written)


def test_reports_are_asked_for(host: Host) -> None:
    """RFC 3461 section 4."""
    dropped, _ = host.send("-N success,delay -R hdrs -V id bob", b"")
    assert dropped.notify == ("SUCCESS", "DELAY")
    assert (dropped.ret, dropped.envelope_id) == ("HDRS", "id")


@pytest.mark.parametrize(
    ("line", "written", "body"),
    [
        ("bob", b"a\n.\nb\n", b"a\r\n"),
        ("bob", b"a\n.\r\nb\n", b"a\r\n"),
        ("bob", b".\n", b""),
        ("bob", b"a\n..\n.b\n", b"a\r\n..\r\n.b\r\n"),
        ("bob", b"x" * 5000 + b".\n", b"x" * 5000 + b".\r\n"),
        ("-i bob", b"a\n.\nb\n", b"a\r\n.\r\nb\r\n"),
        ("-oi bob", b"a\n.\nb", b"a\r\n.\r\nb\r\n"),
    ],
)
def test_a_dot_ends_the_message_unless_told_otherwise(
    host: Host, line: str, written: bytes, body: bytes
) -> None:
    _, message = host.send(line, b"Subject: x\n\n" + written)
    assert message.partition(b"\r\n\r\n")[2] == body


def test_the_end_of_a_long_line_is_no_dot() -> None:
    octets = b"x" * (1 << 16) + b".\nmore\n"
    assert taken(io.BytesIO(octets), 1 << 20, dots=True) == octets


@pytest.mark.parametrize("dots", [True, False])
def test_a_message_has_so_many_octets(dots: bool) -> None:
    octets = b"x\n" * 50
    assert taken(io.BytesIO(octets), 100, dots=dots) == octets
    with pytest.raises(LimitExceeded):
        taken(io.BytesIO(octets), 99, dots=dots)


def test_what_grows_over_the_limit_is_refused_too(host: Host) -> None:
    """By line ends, and by fields that are added: the server would not take it."""
    for written in (b"Subject: x\n\n" + b"\n" * 8_000, b"\n" + b"x" * 9_950):
        with pytest.raises(LimitExceeded):
            host.send("-i bob", written)
    assert os.listdir(host.drop) == []


def test_the_system_knows_who_calls() -> None:
    entry = pwd.getpwuid(os.getuid())
    assert caller(os.getuid(), {}).login == entry.pw_name
    assert caller(os.getuid(), {"NAME": "X"}).name == "X"
    used = {each.pw_uid for each in pwd.getpwall()}
    free = next(uid for uid in range(70_000, 80_000) if uid not in used)
    assert caller(free, {}) == Caller(str(free), "")


def test_a_full_name_of_the_system_that_cannot_stand_is_left_out(host: Host) -> None:
    hand_in(
        options(["bob"]),
        host.setting,
        Caller("ann", "x\x01"),
        io.BytesIO(b"\n"),
        Disk(),
    )
    [name] = os.listdir(host.drop)
    assert b"From: ann@example.org\r\n" in (host.drop / name).read_bytes()

"""The messages that a demo begins with.

In this file:
    messages    them, as octets with CRLF line ends
"""

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Final

_HEAD: Final = """\
From: {sender}
To: {user}@localhost
Subject: {subject}
Date: Thu, 01 Jan 2026 0{number}:00:00 +0000
Message-ID: <demo-{number}@localhost>
MIME-Version: 1.0
Content-Type: {kind}
"""
_WELCOME: Final = """\

Welcome!

This mailbox is a plain Maildir. Look at it with ls and cat, open it with mutt,
deliver to it with procmail: maildrop sees what other programs do to it, and
they see what maildrop does.

Send yourself a message over SMTP and watch it appear.
"""
_ALTERNATIVE: Final = """\

--alternative
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße aus Zürich: the same text twice, once plain, once with style.

--alternative
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<p>Grüße aus <b>Zürich</b>: the same text twice, once plain, once with
<i>style</i>.</p>

--alternative--
"""
_MIXED: Final = """\

--mixed
Content-Type: text/plain; charset=us-ascii

A picture is attached.

--mixed
Content-Type: image/png; name="dot.png"
Content-Disposition: attachment; filename="dot.png"
Content-Transfer-Encoding: base64

{picture}
--mixed--
"""


def _picture() -> str:
    """A small PNG, in base64."""

    def chunk(kind: bytes, octets: bytes) -> bytes:
        check = zlib.crc32(kind + octets)
        return struct.pack(">I", len(octets)) + kind + octets + struct.pack(">I", check)

    row = b"\0" + b"\x20\x60\xc0" * 16
    octets = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row * 16))
        + chunk(b"IEND", b"")
    )
    return base64.encodebytes(octets).decode()


def messages(user: str) -> Iterator[bytes]:
    """The messages, oldest first."""
    bodies = (
        (
            "maildrop <postmaster@localhost>",
            "Welcome to maildrop",
            "text/plain; charset=us-ascii",
            _WELCOME,
        ),
        (
            "=?utf-8?Q?J=C3=BCrg_M=C3=BCller?= <juerg@example.org>",
            "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
            'multipart/alternative; boundary="alternative"',
            _ALTERNATIVE,
        ),
        (
            "Ann Example <ann@example.org>",
            "A picture",
            'multipart/mixed; boundary="mixed"',
            _MIXED.format(picture=_picture()),
        ),
    )
    for number, (sender, subject, kind, body) in enumerate(bodies, 1):
        head = _HEAD.format(
            sender=sender, user=user, subject=subject, number=number, kind=kind
        )
        yield (head + body).replace("\n", "\r\n").encode()

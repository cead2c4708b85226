"""What another server can do (RFC 5321 section 4.1.1.1)."""

import pytest

from maildrop.smtp.wire.capabilities import Capabilities, capabilities
from maildrop.smtp.wire.replies import Reply


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("mx.example.net",), Capabilities("mx.example.net")),
        (("MX.Example.net at your service",), Capabilities("mx.example.net")),
        (("",), Capabilities()),
        (
            ("mx", "PIPELINING", "SIZE 1000", "8bitmime", "SmtpUtf8", "DSN"),
            Capabilities(
                "mx",
                pipelining=True,
                size=1000,
                eight_bit=True,
                smtputf8=True,
                dsn=True,
            ),
        ),
        (
            ("mx", "STARTTLS", "CHUNKING", ""),
            Capabilities("mx", starttls=True, chunking=True),
        ),
        (("mx", "SIZE"), Capabilities("mx", size=0)),
        (("mx", "SIZE x"), Capabilities("mx", size=0)),
        (("mx", "SIZE -1"), Capabilities("mx", size=0)),
        (("mx", "SIZE " + "9" * 100), Capabilities("mx", size=0)),
        (
            ("mx", "AUTH PLAIN login", "AUTH=LOGIN PLAIN"),
            Capabilities("mx", mechanisms=("PLAIN", "LOGIN")),
        ),
        (("mx", "AUTH"), Capabilities("mx")),
        (("PIPELINING", "XFOO bar"), Capabilities("pipelining")),
    ],
)
def test_an_answer_to_ehlo(lines: tuple[str, ...], expected: Capabilities) -> None:
    assert capabilities(Reply(250, lines)) == expected

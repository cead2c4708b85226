"""RCPT and its parameters."""

import pytest

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.parameters import BadParameter, UnknownParameter
from maildrop.smtp.wire.path import Path, Utf8NotAllowed
from maildrop.smtp.wire.rcpt import Rcpt, rcpt

HIM = Path("a", "b")


@pytest.mark.parametrize(
    ("argument", "command"),
    [
        (b"TO:<a@b>", Rcpt(HIM)),
        (b"to: a@b", Rcpt(HIM)),
        (b"TO:<a@b> NOTIFY=NEVER", Rcpt(HIM, frozenset({b"NEVER"}))),
        (
            b"TO:<a@b> NOTIFY=success,Delay ORCPT=rfc822;x+2Bb@c",
            Rcpt(HIM, frozenset({b"SUCCESS", b"DELAY"}), (b"rfc822", b"x+b@c")),
        ),
    ],
)
def test_a_command_is_understood(argument: bytes, command: Rcpt) -> None:
    """RFC 5321 section 4.1.1.3, RFC 3461 sections 4.1 and 4.2."""
    assert rcpt(argument, smtputf8=False) == command


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (b"", ProtocolSyntaxError),
        (b"TO:<>", ProtocolSyntaxError),
        (b"FROM:<a@b>", ProtocolSyntaxError),
        (b"TO:<a@b> NOTIFY=NEVER,DELAY", BadParameter),
        (b"TO:<a@b> NOTIFY", BadParameter),
        (b"TO:<a@b> ORCPT=a@b", BadParameter),
        (b"TO:<a@b> SIZE=1", UnknownParameter),
        ("TO:<ä@b>".encode(), Utf8NotAllowed),
    ],
)
def test_what_is_wrong_is_told_apart(
    argument: bytes, error: type[ProtocolSyntaxError]
) -> None:
    with pytest.raises(ProtocolSyntaxError) as raised:
        rcpt(argument, smtputf8=False)
    assert raised.type is error


def test_utf8_is_taken_where_mail_asked_for_it() -> None:
    """RFC 6531 section 3.3."""
    command = rcpt("TO:<ä@ö>".encode(), smtputf8=True)
    assert command.recipient == Path("ä", "ö")

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
            Rcpt(HIM, frozenset({b"SUCCESS", b"DELAY"}), "rfc822;x+b@c"),
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
        (b"TO:<a@b> ORCPT=rfc822;a+0Ab", BadParameter),
        (b"TO:<a@b> ORCPT=rfc822;a+FCb", BadParameter),
        (b"TO:<a@b> ORCPT=rfc822;a+b", BadParameter),
        (b"TO:<a@b> ORCPT=utf-8;\xff@b", BadParameter),
        (b"TO:<a@b> ORCPT=utf-8;a\\x{0A}b", BadParameter),
        (b"TO:<a@b> ORCPT=utf-8;\\x{FFFFFF}b", BadParameter),
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


@pytest.mark.parametrize(
    "address", [b"utf-8;j\\x{FC}@b", "utf-8;j\xfc@b".encode(), b"UTF-8;j\\x{fc}@b"]
)
def test_an_original_recipient_may_be_utf8(address: bytes) -> None:
    """RFC 6533 section 3."""
    command = rcpt(b"TO:<a@b> ORCPT=" + address, smtputf8=True)
    assert command.original.lower() == "utf-8;j\xfc@b"


def test_utf8_is_taken_where_mail_asked_for_it() -> None:
    """RFC 6531 section 3.3."""
    command = rcpt("TO:<ä@ö>".encode(), smtputf8=True)
    assert command.recipient == Path("ä", "ö")

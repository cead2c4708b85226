"""MAIL and its parameters."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.mail import Mail, mail
from maildrop.smtp.wire.parameters import BadParameter, UnknownParameter
from maildrop.smtp.wire.path import Path, Utf8NotAllowed

SENDER = Path("a", "b")


@pytest.mark.parametrize(
    ("argument", "command"),
    [
        (b"FROM:<a@b>", Mail(SENDER)),
        (b"from:<a@b>", Mail(SENDER)),
        (b"FROM:  <a@b>", Mail(SENDER)),
        (b"FROM:a@b", Mail(SENDER)),
        (b"FROM: a@b SIZE=3", Mail(SENDER, size=3)),
        (b"FROM:<>", Mail(None)),
        (b"FROM:<a@b> size=12345", Mail(SENDER, size=12345)),
        (b"FROM:<a@b> BODY=8bitmime", Mail(SENDER, body=b"8BITMIME")),
        (b"FROM:<a@b> BODY=7BIT  SIZE=1", Mail(SENDER, size=1)),
        (b"FROM:<a@b> AUTH=<>", Mail(SENDER)),
        (b"FROM:<a@b> AUTH=e+3Dmc2@x", Mail(SENDER, submitter=b"e=mc2@x")),
        (
            b"FROM:<a@b> RET=hdrs ENVID=q+2B1",
            Mail(SENDER, ret=b"HDRS", envelope_id=b"q+1"),
        ),
        ("FROM:<ä@b> SMTPUTF8".encode(), Mail(Path("ä", "b"), smtputf8=True)),
    ],
)
def test_a_command_is_understood(argument: bytes, command: Mail) -> None:
    """RFC 5321 section 4.1.1.2."""
    assert mail(argument) == command


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (b"", ProtocolSyntaxError),
        (b"<a@b>", ProtocolSyntaxError),
        (b"TO:<a@b>", ProtocolSyntaxError),
        (b"FROM:", ProtocolSyntaxError),
        (b"FROM:<a@b>SIZE=1", ProtocolSyntaxError),
        (b"FROM:<a@b> SIZE", BadParameter),
        (b"FROM:<a@b> SIZE=x", BadParameter),
        (b"FROM:<a@b> SIZE=1 SIZE=1", BadParameter),
        (b"FROM:<a@b> SIZE=" + b"1" * 21, BadParameter),
        (b"FROM:<a@b> BODY=BINARYMIME", BadParameter),
        (b"FROM:<a@b> SMTPUTF8=1", BadParameter),
        (b"FROM:<a@b> AUTH", BadParameter),
        (b"FROM:<a@b> AUTH=a+zz", BadParameter),
        (b"FROM:<a@b> RET=ALL", BadParameter),
        (b"FROM:<a@b> ENVID=", BadParameter),
        (b"FROM:<a@b> ENVID=" + b"1" * 101, BadParameter),
        (b"FROM:<a@b> ENVID=a+0Ab", BadParameter),
        (b"FROM:<a@b> =1", BadParameter),
        (b"FROM:<a@b> HOLDFOR=1", UnknownParameter),
        ("FROM:<ä@b>".encode(), Utf8NotAllowed),
    ],
)
def test_what_is_wrong_is_told_apart(
    argument: bytes, error: type[ProtocolSyntaxError]
) -> None:
    with pytest.raises(ProtocolSyntaxError) as raised:
        mail(argument)
    assert raised.type is error


@given(st.binary(max_size=40))
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        command = mail(b"FROM:<a@b> " + octets)
    except ProtocolSyntaxError:
        return
    assert command.sender == SENDER

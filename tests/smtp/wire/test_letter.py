"""MAIL and RCPT as a client, and what a server cannot take."""

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.letter import (
    Letter,
    Receiver,
    mail,
    rcpt,
    unfit,
    unfit_for,
    xtext,
)
from maildrop.smtp.wire.mail import mail as parse_mail
from maildrop.smtp.wire.parameters import xtext as decode_xtext
from maildrop.smtp.wire.rcpt import rcpt as parse_rcpt
from maildrop.smtp.wire.stuffing import Facts
from maildrop.smtp.wire.verdict import Answer

ALL = Capabilities(
    pipelining=True, eight_bit=True, smtputf8=True, dsn=True, size=1_000_000
)
NOTHING = Capabilities()
PLAIN = Facts(1000, True, False, False)
EIGHT_BIT = Facts(1000, True, True, False)
INTERNATIONAL = Facts(1000, True, True, True)
ANN = (Receiver("ann@example.net"),)


def letter(
    sender: str = "bob@example.org", facts: Facts = PLAIN, **more: object
) -> Letter:
    return Letter(sender, ANN, facts, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "offered", "command"),
    [
        (letter(), NOTHING, b"MAIL FROM:<bob@example.org>"),
        (letter(""), NOTHING, b"MAIL FROM:<>"),
        (letter(), ALL, b"MAIL FROM:<bob@example.org> SIZE=1000"),
        (
            letter(facts=EIGHT_BIT),
            ALL,
            b"MAIL FROM:<bob@example.org> SIZE=1000 BODY=8BITMIME",
        ),
        (
            letter("b\u00f6b@example.org", EIGHT_BIT, smtputf8=True),
            ALL,
            b"MAIL FROM:<b\xc3\xb6b@example.org> SIZE=1000 BODY=8BITMIME SMTPUTF8",
        ),
        (letter(smtputf8=True), ALL, b"MAIL FROM:<bob@example.org> SIZE=1000"),
        (
            letter("b\u00f6b@example.org"),
            ALL,
            b"MAIL FROM:<b\xc3\xb6b@example.org> SIZE=1000 SMTPUTF8",
        ),
        (
            letter(ret="HDRS", envelope_id="a+b=c d"),
            ALL,
            b"MAIL FROM:<bob@example.org> SIZE=1000 RET=HDRS ENVID=a+2Bb+3Dc+20d",
        ),
        (
            letter(ret="HDRS", envelope_id="id"),
            NOTHING,
            b"MAIL FROM:<bob@example.org>",
        ),
        (
            letter("b@b\u00fccher.example"),
            NOTHING,
            b"MAIL FROM:<b@xn--bcher-kva.example>",
        ),
        (letter('"a b"@example.org'), NOTHING, b'MAIL FROM:<"a b"@example.org>'),
    ],
)
def test_mail_says_what_is_offered_and_needed(
    written: Letter, offered: Capabilities, command: bytes
) -> None:
    assert unfit(written, offered) is None
    assert mail(written, offered) == command + b"\r\n"


@pytest.mark.parametrize(
    ("receiver", "offered", "command"),
    [
        (Receiver("a@b.example"), ALL, b"RCPT TO:<a@b.example>"),
        (
            Receiver("a@b.example", ("SUCCESS", "DELAY"), "rfc822;a+b@c.example"),
            ALL,
            b"RCPT TO:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c.example",
        ),
        (
            Receiver("a@b.example", ("NEVER",), "rfc822;a@c.example"),
            NOTHING,
            b"RCPT TO:<a@b.example>",
        ),
        (
            Receiver("a@b.example", (), "utf-8;\u00f6+@c.example"),
            ALL,
            b"RCPT TO:<a@b.example> ORCPT=utf-8;\\x{F6}\\x{2B}@c.example",
        ),
        (Receiver("a@b.example", (), "rfc822;\u00f6"), ALL, b"RCPT TO:<a@b.example>"),
        (Receiver("a@b.example", (), "x\r\ny;z"), ALL, b"RCPT TO:<a@b.example>"),
        (Receiver("a@b.example", ("BOGUS X",)), ALL, b"RCPT TO:<a@b.example>"),
        (Receiver("\u00f6@b.example"), ALL, b"RCPT TO:<\xc3\xb6@b.example>"),
        (
            Receiver("a@b\u00fccher.example"),
            NOTHING,
            b"RCPT TO:<a@xn--bcher-kva.example>",
        ),
    ],
)
def test_rcpt_passes_on_what_is_offered(
    receiver: Receiver, offered: Capabilities, command: bytes
) -> None:
    """RFC 3461 section 4; RFC 6533 section 3 for the type utf-8."""
    assert unfit_for(receiver, offered) is None
    assert rcpt(receiver, offered) == command + b"\r\n"


@pytest.mark.parametrize(
    ("written", "offered", "code"),
    [
        (letter(facts=Facts(1_000_001, True, False, False)), ALL, "5.3.4"),
        (letter(facts=EIGHT_BIT), NOTHING, "5.6.3"),
        (letter(facts=INTERNATIONAL, smtputf8=True), NOTHING, "5.6.9"),
        (letter("b\u00f6b@example.org"), NOTHING, "5.6.7"),
        (letter("no address"), ALL, "5.1.7"),
        (letter("a@b> SIZE=1"), ALL, "5.1.7"),
        (letter("a@b\r\nRCPT TO:<c@d"), ALL, "5.1.7"),
        (letter("\udcff@b"), ALL, "5.1.7"),
    ],
)
def test_what_a_server_cannot_take_is_not_tried(
    written: Letter, offered: Capabilities, code: str
) -> None:
    """RFC 1870 section 6.1, RFC 6152 section 3, RFC 6531 section 3.2."""
    found = unfit(written, offered)
    assert found is not None
    assert (found.answer, found.code) == (Answer.NEVER, code)


@pytest.mark.parametrize(
    ("address", "offered", "code"),
    [
        ("\u00f6@b.example", NOTHING, "5.6.7"),
        ("a@b>\r\nDATA", ALL, "5.1.3"),
        ("a@b> NOTIFY=NEVER", ALL, "5.1.3"),
        ("a b@c", ALL, "5.1.3"),
        ("a\x00@c", ALL, "5.1.3"),
        ("", ALL, "5.1.3"),
    ],
)
def test_a_bad_address_is_told_from_the_others(
    address: str, offered: Capabilities, code: str
) -> None:
    found = unfit_for(Receiver(address), offered)
    assert found is not None
    assert (found.answer, found.code) == (Answer.NEVER, code)


def test_a_header_in_another_charset_is_sent_as_ever() -> None:
    """Who did not ask for SMTPUTF8 sends what mail has long been like."""
    assert unfit(letter(facts=INTERNATIONAL), Capabilities(eight_bit=True)) is None


def test_no_limit_is_no_limit() -> None:
    """RFC 1870 section 4: SIZE 0."""
    huge = letter(facts=Facts(1 << 40, True, False, False))
    assert unfit(huge, Capabilities(size=0)) is None


@given(st.binary(max_size=30))
def test_xtext_reads_back(octets: bytes) -> None:
    assert decode_xtext(xtext(octets)) == octets


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_whatever_stands_in_the_queue_one_command_is_sent(
    address: str, original: str, envelope_id: str, everything: bool
) -> None:
    """And our own server understands it."""
    offered = ALL if everything else NOTHING
    receiver = Receiver(address, ("SUCCESS",), f"rfc822;{original}")
    written = Letter(
        address,
        [receiver],
        EIGHT_BIT if everything else PLAIN,
        smtputf8=True,
        ret="FULL",
        envelope_id=envelope_id,
    )
    if unfit(written, offered) is None:
        command = mail(written, offered)
        assert command.count(b"\n") == 1
        assert command.endswith(b"\r\n")
        parse_mail(command[len("MAIL ") : -2])
    if unfit_for(receiver, offered) is None:
        command = rcpt(receiver, offered)
        assert command.count(b"\n") == 1
        assert command.endswith(b"\r\n")
        parse_rcpt(command[len("RCPT ") : -2], smtputf8=True)

"""CAPA, UTF8 and LANG: RFC 2449, RFC 6856."""

import pytest

from tests.pop3.conftest import Served

COMMON = (
    b"+OK Capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
    b"PIPELINING\r\nEXPIRE NEVER\r\nLOGIN-DELAY 0\r\nUTF8 USER\r\nLANG\r\n"
    b"IMPLEMENTATION maildrop\r\n"
)


def test_before_login_it_tells_how_to_log_in(pop3: Served) -> None:
    """RFC 2449 section 5."""
    here, away = pop3.connect("127.0.0.1"), pop3.connect("192.0.2.1")
    assert here.lines(b"CAPA") == (
        COMMON + b"STLS\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n"
    )
    assert away.lines(b"CAPA") == COMMON + b"STLS\r\n.\r\n"


def test_after_login_it_tells_the_rest(pop3: Served) -> None:
    assert pop3.login().lines(b"CAPA") == COMMON + b".\r\n"


def test_utf8_is_said_before_login_only(pop3: Served) -> None:
    """RFC 6856 section 2."""
    client = pop3.connect()
    assert client.lines(b"UTF8") == b"+OK UTF-8\r\n"
    assert client.connection.session.utf8
    client.login()
    assert client.lines(b"UTF8") == b"-ERR Not in this state\r\n"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"LANG", b"+OK Languages follow\r\nen English\r\ni-default English\r\n.\r\n"),
        (b"LANG en", b"+OK en Language is English\r\n"),
        (b"LANG EN-gb", b"+OK en Language is English\r\n"),
        (b"LANG *", b"+OK en Language is English\r\n"),
        (b"LANG i-default", b"+OK i-default Language is English\r\n"),
        (b"LANG de", b"-ERR Language not spoken\r\n"),
        (b"LANG \xff", b"-ERR Language not spoken\r\n"),
    ],
)
def test_languages_are_listed_and_chosen(
    pop3: Served, line: bytes, wanted: bytes
) -> None:
    """RFC 6856 section 3."""
    assert pop3.connect().lines(line) == wanted

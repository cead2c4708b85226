"""ID and ENABLE (RFC 2971, RFC 5161)."""

from dataclasses import replace

from twisted.logger import capturedLogs, formatEvent

from tests.imap.conftest import Served


def test_the_server_says_who_it_is(imap: Served) -> None:
    identity = ((b"name", b"maildrop"), (b"version", b"1.0"))
    imap.site = replace(imap.site, identity=identity)
    assert imap.connect().say(b"a ID NIL") == [
        b'* ID ("name" "maildrop" "version" "1.0")',
        b"a OK Id completed",
    ]


def test_a_client_is_logged_in_short_and_escaped(imap: Served) -> None:
    client = imap.connect()
    with capturedLogs() as events:
        client.send(
            b'a ID ("name" {10+}\r\nx\r\nlogin y "version" "%b" "token" "hidden")\r\n'
            % (b"1" * 1000)
        )
    (event,) = [event for event in events if "client" in event]
    line = str(formatEvent(event))
    assert line.partition(": ")[2].startswith(
        "client at 127.0.0.1:4321 is 'x\\r\\nlogin y 1111"
    )
    assert len(line) < 200
    assert "hidden" not in line


def test_enable_passes_over_what_is_not_known(imap: Served) -> None:
    client = imap.login()
    assert client.say(b"a ENABLE X-GOOD-IDEA CONDSTORE") == [
        b"* ENABLED",
        b"a OK Enable completed",
    ]

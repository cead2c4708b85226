"""CAPABILITY: RFC 3501 section 7.2.1."""

from maildrop.imap.wire import capability


def test_names_are_told_on_a_line() -> None:
    line = capability.response([b"IMAP4rev1", b"IDLE", b"AUTH=PLAIN"])
    assert line == b"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\n"

"""LSUB: RFC 3501 section 7.2.3."""

from maildrop.imap.wire import lsub


def test_a_subscribed_mailbox_is_told_on_a_line() -> None:
    assert lsub.response("Old Mail", "/", [rb"\Noselect"]) == (
        b'* LSUB (\\Noselect) "/" "Old Mail"\r\n'
    )

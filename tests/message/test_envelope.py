"""ENVELOPE: RFC 3501 section 7.4.2."""

import pytest

from maildrop.message.fragments import fragment
from maildrop.message.limits import Limits

NO_ADDRESSES = b"NIL NIL NIL NIL NIL NIL"


def envelope(header: bytes) -> bytes:
    return fragment(header.replace(b"\n", b"\r\n") + b"\r\nbody", b"ENVELOPE")


def test_an_empty_header_is_all_nil() -> None:
    assert envelope(b"") == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_all_ten_fields_in_their_order() -> None:
    written = envelope(
        b"Message-ID: <m@x>\nIn-Reply-To: <i@x>\nBcc: b@x\nCc: c@x\nTo: t@x\n"
        b"Reply-To: r@x\nSender: s@x\nFrom: f@x\nSubject: hello\n"
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\n"
    )
    assert written == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "hello" ((NIL NIL "f" "x")) '
        b'((NIL NIL "s" "x")) ((NIL NIL "r" "x")) ((NIL NIL "t" "x")) '
        b'((NIL NIL "c" "x")) ((NIL NIL "b" "x")) "<i@x>" "<m@x>")'
    )


@pytest.mark.parametrize("other", [b"", b"Sender:\nReply-To: \n", b"Sender: (x)\n"])
def test_from_stands_in_for_sender_and_reply_to(other: bytes) -> None:
    """RFC 3501 section 7.4.2: absent or empty, the server makes them of From."""
    sender = b'((NIL NIL "f" "x"))'
    assert envelope(b"From: f@x\n" + other) == (
        b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (sender, sender, sender)
    )


def test_a_group_has_a_start_and_an_end() -> None:
    assert envelope(b"To: A Group:f@x;\n") == (
        b"(NIL NIL NIL NIL NIL "
        b'((NIL NIL "A Group" NIL)(NIL NIL "f" "x")(NIL NIL NIL NIL)) NIL NIL NIL NIL)'
    )


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"Subject: \n", b'""'),
        (b"Subject:\n", b'""'),
        (b"subject : x\n", b'"x"'),
        (b"Subject: a\n b\n", b"{3}\r\na b"),
        (b"Subject: =?utf-8?q?=C3=BC?=\n", b'"=?utf-8?q?=C3=BC?="'),
        (b"Subject: \xc3\xbc\n", b"{2}\r\n\xc3\xbc"),
        (b"Subject: one\nSubject: two\n", b'"two"'),
        (b'Subject: say "x"\n', b'{7}\r\nsay "x"'),
        (b"Subject: a\0\n", b"{4}\r\na\xef\xbf\xbd"),
        (b" Subject: x\n", b"NIL"),
        (b"Subject x\n", b"NIL"),
        (b"X: a\n Subject: x\n", b"NIL"),
    ],
)
def test_a_subject_is_shown_undecoded(field: bytes, shown: bytes) -> None:
    assert envelope(field) == b"(NIL " + shown + b" " + NO_ADDRESSES + b" NIL NIL)"


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"Message-ID:\n <x@y>\n", b'" <x@y>"'),
        (b"Message-ID: <x\ry>\n", b'"<x y>"'),
        (b"Message-ID: \n", b'""'),
        (b'Message-ID: <"x"@y>\n', b'"<\\"x\\"@y>"'),
        (b"Message-ID: <x@y> \n", b'"<x@y> "'),
    ],
)
def test_a_message_id_is_shown_unfolded(field: bytes, shown: bytes) -> None:
    """RFC 3501 section 7.4.2: NIL only where the field is not there."""
    assert envelope(field) == b"(NIL NIL " + NO_ADDRESSES + b" NIL " + shown + b")"


def test_addresses_over_the_limit_are_left_out() -> None:
    message = b"To: " + b"a@b, " * 100 + b"\r\n\r\n"
    shown = fragment(message, b"ENVELOPE", Limits(addresses=3))
    assert shown.count(b'(NIL NIL "a" "b")') == 3

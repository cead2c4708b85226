"""Replies of another server (RFC 5321 section 4.2)."""

import pytest
from hypothesis import given, strategies as st

from maildrop.smtp.wire.replies import BadReply, Replies, Reply


def replies(octets: bytes) -> list[Reply]:
    wire, found = Replies(), []
    wire.receive_data(octets)
    while (reply := wire.next_event()) is not None:
        found.append(reply)
    return found


CONVERSATION = (
    b"220 mx.example.net ESMTP\r\n"
    b"250-mx.example.net\r\n250-SIZE 1000\r\n250 DSN\r\n"
    b"250 2.1.0 OK\r\n"
    b"550-5.1.1 Nobody\r\n550-5.1.1 is called\r\n550 5.1.1 so\r\n"
    b"354 Go on\r\n"
    b"250\r\n"
)
EXPECTED = [
    Reply(220, ("mx.example.net ESMTP",)),
    Reply(250, ("mx.example.net", "SIZE 1000", "DSN")),
    Reply(250, ("OK",), "2.1.0"),
    Reply(550, ("Nobody", "is called", "so"), "5.1.1"),
    Reply(354, ("Go on",)),
    Reply(250, ("",)),
]


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_replies_are_the_same(cut: int) -> None:
    wire, found = Replies(), []
    for piece in (CONVERSATION[:cut], CONVERSATION[cut:]):
        wire.receive_data(piece)
        while (reply := wire.next_event()) is not None:
            found.append(reply)
    assert found == EXPECTED
    assert not wire.pending


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"250 ok\n", Reply(250, ("ok",))),
        (b"250-a\r\n251 b\r\n", Reply(251, ("a", "b"))),
        (b"550 4.1.1 of another class\r\n", Reply(550, ("4.1.1 of another class",))),
        (b"550 5.1.1\r\n", Reply(550, ("",), "5.1.1")),
        (b"250 caf\xc3\xa9 \x07\xff\r\n", Reply(250, ("caf\u00e9 ?\ufffd",))),
    ],
)
def test_what_servers_really_say_is_understood(octets: bytes, reply: Reply) -> None:
    assert replies(octets) == [reply]


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"600 no\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"\r\n",
        b"250_ok\r\n",
        b"250 " + b"x" * 5000,
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-x\r\n" * 10_000,
    ],
)
def test_what_is_no_reply_is_an_error(octets: bytes) -> None:
    with pytest.raises(BadReply):
        replies(octets)


@pytest.mark.parametrize(
    ("code", "positive", "permanent"),
    [(250, True, False), (354, True, False), (451, False, False), (554, False, True)],
)
def test_the_first_digit_says_what_follows(
    code: int, positive: bool, permanent: bool
) -> None:
    reply = Reply(code, ("",))
    assert (reply.positive, reply.permanent) == (positive, permanent)


def test_a_reply_is_shown_on_one_line() -> None:
    assert str(EXPECTED[3]) == "550 5.1.1 Nobody is called so"
    assert str(EXPECTED[5]) == "250"


@given(st.binary(max_size=200))
def test_any_octets_are_replies_or_an_error(octets: bytes) -> None:
    try:
        found = replies(octets)
    except BadReply:
        return
    assert all("\n" not in str(reply) and "\r" not in str(reply) for reply in found)

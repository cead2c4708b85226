"""A message as SEARCH sees it: RFC 3501 section 6.4.4."""

import datetime as dt

import pytest
from hypothesis import given, strategies as st

from maildrop.message.header import cleaned, scan, unfolded
from maildrop.message.limits import Limits
from maildrop.message.searchable import Searchable
from maildrop.text.folding import fold
from maildrop.text.words import decode_words

MESSAGE = b"""\
From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>
To: a@b
To: c@d
Subject: =?iso-8859-1?Q?Gr=FC=DFe?= und
 =?utf-8?B?S8O8c3Nl?=
Date: Wed, 17 Jul 1996 02:23:25 -0700
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Stra=DFe und lange=
s Wort
--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+RmV0dDwvYj4gw5ZM
--b
Content-Type: image/png; name="Bild.PNG"

binary words
--b
Content-Type: message/rfc822

Subject: Inner
From: x@y

inner text
--b
Content-Type: message/delivery-status

Action: failed
--b--
epilogue
""".replace(b"\n", b"\r\n")


def test_fields_are_decoded_and_folded() -> None:
    message = Searchable(MESSAGE)
    assert message.header(b"Subject") == [fold("Grüße und Küsse")]
    assert message.header(b"FROM") == [fold("Jörg <joerg@example.org>")]
    assert message.header(b"to") == ["a@b", "c@d"]
    assert message.header(b"x-none") == []


def test_the_header_has_all_fields_those_of_parts_too() -> None:
    text = Searchable(MESSAGE).headers()
    assert "\nto: a@b\nto: c@d\nsubject: " in text
    assert 'content-type: image/png; name="bild.png"' in text


@pytest.mark.parametrize(
    "words",
    [
        "strasse und langes wort",
        "<b>fett</b> öl",
        "inner text",
        "subject: inner",
        "action: failed",
    ],
)
def test_the_body_is_all_text(words: str) -> None:
    assert fold(words) in Searchable(MESSAGE).body()


@pytest.mark.parametrize("words", ["joerg@", "binary words", "bild.png", "preamble"])
def test_the_body_is_nothing_else(words: str) -> None:
    assert words not in Searchable(MESSAGE).body()


def test_a_plain_message() -> None:
    message = Searchable(b"Subject: x\r\n\r\nHello\r\nWORLD\r\n")
    assert message.body() == "hello\r\nworld\r\n"
    assert message.headers() == "subject: x"
    assert message.sent() is None


def test_the_day_is_that_of_the_sender() -> None:
    """RFC 3501 section 6.4.4, SENTON: disregarding time and timezone."""
    assert Searchable(MESSAGE).sent() == dt.date(1996, 7, 17)
    late = Searchable(b"Date: 1 Jan 2002 23:59:59 -1200\r\n\r\n")
    assert late.sent() == dt.date(2002, 1, 1)
    assert Searchable(b"Date: some day\r\n\r\n").sent() is None


@pytest.mark.parametrize("limit", [0, 1, 10, 45])
def test_text_over_the_limit_is_not_looked_at(limit: int) -> None:
    whole = Searchable(MESSAGE).body()
    some = Searchable(MESSAGE, Limits(text_octets=limit)).body()
    assert whole.startswith(some.rstrip("\n"))
    assert len(some) <= 2 * limit + 5


def test_text_in_an_encoding_over_the_limit() -> None:
    header = b"Mime-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    octets = header + b"\r\n" + b"=41" * 1000
    assert Searchable(octets, Limits(text_octets=100)).body() == "a" * 100


PIECES = st.sampled_from(
    [
        b"Subject: =?utf-8?b?",
        b"Date: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: text/plain; charset=",
        b"utf-16",
        b"iso-2022-jp",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"\r\n",
        b"\r\n--b\r\n",
        b"=",
        b"\xff\xfe",
        b"\0",
        b"\x1b$B",
        b"2002 Jan 1",
    ]
)


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_any_octets_are_searchable(octets: bytes) -> None:
    message = Searchable(octets)
    assert isinstance(message.headers(), str)
    assert isinstance(message.body(), str)
    assert all(isinstance(value, str) for value in message.header(b"subject"))
    assert message.sent() is None or isinstance(message.sent(), dt.date)


odd = st.lists(
    st.sampled_from(
        [
            b"a",
            b" ",
            b"\t",
            b"\r",
            b"\r\n ",
            b"\n ",
            b":",
            b"=?utf-8?q?=C3=A9?=",
            b"\xe4",
        ]
    ),
    max_size=5,
).map(b"".join)


@given(st.lists(odd, max_size=4))
def test_fields_that_are_simple_read_as_all_others(values: list[bytes]) -> None:
    octets = b"".join([b"X-%d:%b\r\n" % pair for pair in enumerate(values)]) + b"\r\n"
    read = [
        f"{name.decode()}: {decode_words(unfolded(cleaned(line)))}"
        for line, name, _ in scan(octets, 0, len(octets) - 2)
    ]
    assert Searchable(octets).headers() == fold("\n".join(read))

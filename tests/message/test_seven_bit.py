"""Messages without octets above 127."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, strategies as st

from maildrop.message.limits import Limits
from maildrop.message.seven_bit import seven_bit

TEXT = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"


def read(octets: bytes) -> EmailMessage:
    found = message_from_bytes(octets, policy=policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


def bodies(message: EmailMessage) -> list[bytes]:
    """What the parts stand for."""
    found = []
    for part in message.walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            found.append(payload.strip(b"\r\n"))
    return found


def rewritten(octets: bytes) -> bytes:
    found = seven_bit(octets)
    assert found is not None
    assert found.isascii()
    return found


def test_text_becomes_quoted_printable() -> None:
    """RFC 2045 section 6.7."""
    octets = TEXT + "Content-Transfer-Encoding: 8bit\r\n\r\nSchöne Grüße\r\n".encode()
    assert rewritten(octets) == (
        TEXT + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Sch=C3=B6ne Gr=C3=BC=C3=9Fe\r\n"
    )


def test_text_of_another_script_becomes_base64() -> None:
    """RFC 2045 section 6.8: it is shorter."""
    text = "Здравствуй, мир!\r\n" * 9
    found = rewritten(TEXT + b"\r\n" + text.encode())
    assert b"Content-Transfer-Encoding: base64\r\n\r\n" in found
    assert read(found).get_payload(decode=True) == text.encode()
    assert max(map(len, found.splitlines())) <= 76
    assert found.endswith(b"\r\n")


def test_a_line_without_end_is_broken_softly() -> None:
    found = rewritten(TEXT + b"\r\n" + ("ö" + "x" * 500).encode())
    assert b"\n" not in found.replace(b"\r\n", b"")
    assert max(map(len, found.splitlines())) <= 76
    assert bodies(read(found)) == [("ö" + "x" * 500).encode()]


@pytest.mark.parametrize(
    ("body", "charset"),
    [("über".encode(), b"utf-8"), ("über".encode("latin-1"), b"unknown-8bit")],
)
def test_what_knows_nothing_of_mime_is_text_then(body: bytes, charset: bytes) -> None:
    """RFC 1428 section 3."""
    found = rewritten(b"Subject: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body)
    assert found.startswith(
        b"Subject: x\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=%b\r\n"
        % charset
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    assert bodies(read(found)) == [body]


MIXED = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n"
    "--b\r\n\r\nplain\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>ö</p>\r\n"
    "--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "Subject: inner\r\n\r\nüber\r\n"
    "--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "\x00\x01ö\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n"
    "\r\nw7Y=\r\n--b--\r\n"
).encode()


def test_each_part_is_encoded_for_itself() -> None:
    found = rewritten(MIXED)
    assert bodies(read(found)) == [
        b"plain",
        "<p>ö</p>".encode(),
        "über".encode(),
        "\x00\x01ö".encode(),
        "ö".encode(),
    ]
    assert b"8bit" not in found
    assert b"binary" not in found
    assert b"--b\r\n\r\nplain\r\n--b\r\n" in found
    assert found.endswith(b"base64\r\n\r\nw7Y=\r\n--b--\r\n")
    names = [part.get_content_type() for part in read(found).walk()]
    assert names == [part.get_content_type() for part in read(MIXED).walk()]


@pytest.mark.parametrize(
    "octets",
    [
        "Subject: ö\r\n\r\nx\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nö\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-y\r\n\r\nö\r\n",
        "Content-Type: message/partial\r\n\r\nö\r\n",
        "Content-Type: multipart/mixed\r\n\r\nö\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\nö\r\n--b\r\n\r\n--b--\r\n",
        "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nö\r\n--b--\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: ö\r\n\r\n--b--\r\n",
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n--b--\r\nö",
    ],
)
def test_what_would_be_harmed_is_left_alone(octets: str) -> None:
    """RFC 1847 section 2.1, RFC 2046 section 5.2.2, RFC 6532."""
    assert seven_bit(octets.encode()) is None


def test_what_is_too_deep_is_left_alone() -> None:
    octets = b"Content-Type: message/rfc822\r\n\r\n" * 5 + "\r\nö\r\n".encode()
    assert seven_bit(octets) is not None
    assert seven_bit(octets, Limits(depth=3)) is None


@given(
    st.lists(st.binary(max_size=80), max_size=4),
    st.sampled_from(["text/plain; charset=latin-1", "application/octet-stream"]),
)
def test_what_it_stands_for_is_the_same(pieces: list[bytes], kind: str) -> None:
    body = b"\r\n".join(
        piece.replace(b"\r", b"").replace(b"\n", b"") for piece in pieces
    )
    part = f"--XbX\r\nContent-Type: {kind}\r\n\r\n".encode() + body
    octets = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=XbX\r\n\r\n"
        + part
        + b"\r\n--XbX--\r\n"
    )
    found = rewritten(octets)
    assert bodies(read(found)) == bodies(read(octets))


@given(st.binary(max_size=300))
def test_any_octets_are_rewritten_or_left_alone(octets: bytes) -> None:
    found = seven_bit(octets)
    assert found is None or found.isascii()

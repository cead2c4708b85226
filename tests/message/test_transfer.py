"""Content-Transfer-Encoding: RFC 2045 section 6."""

import base64
import quopri

import pytest
from hypothesis import given, strategies as st

from maildrop.message.transfer import decode_transfer


@pytest.mark.parametrize(
    ("octets", "encoding", "decoded"),
    [
        (b"a=3Db", None, b"a=3Db"),
        (b"a=3Db", b"7bit", b"a=3Db"),
        (b"a=3Db", b"x-unknown", b"a=3Db"),
        (b"a=3Db=\r\nc", b"quoted-printable", b"a=bc"),
        (b"a=zz=4", b"Quoted-Printable", b"a=zz=4"),
        (b"a_b", b"quoted-printable", b"a_b"),
        (b"SGVs\r\nbG8=", b"BASE64", b"Hello"),
        (b"SGVsbG8", b"base64", b"Hello"),
        (b"SGVsbG8h\x00!-\r\nSGk", b"base64", b"Hello!Hi"),
        (b"SGVsbG8=\r\n-- \r\nfooter", b"base64", b"Hello"),
        (b"SGVsb", b"base64", b"Hel"),
        (b"", b"base64", b""),
    ],
)
def test_bodies_are_decoded(
    octets: bytes, encoding: bytes | None, decoded: bytes
) -> None:
    assert decode_transfer(octets, encoding) == decoded


@given(st.binary(max_size=80), st.sampled_from([b"base64", b"quoted-printable"]))
def test_any_octets_decode(octets: bytes, encoding: bytes) -> None:
    assert len(decode_transfer(octets, encoding)) <= len(octets)


@given(st.binary(max_size=80))
def test_what_is_encoded_reads_back(octets: bytes) -> None:
    assert decode_transfer(base64.encodebytes(octets), b"base64") == octets
    quoted = quopri.encodestring(octets, quotetabs=True)
    assert decode_transfer(quoted, b"quoted-printable") == octets

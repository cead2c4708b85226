"""Base64, taken strictly."""

import contextlib

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import LimitExceeded, MaildropError, ProtocolSyntaxError
from maildrop.sasl.encoding import decode, encode


@pytest.mark.parametrize(
    "octets",
    [b"=", b"a", b"YQ", b"YQ=", b"YQ==\n", b"Y Q==", b"YR==", b"YQ==YQ==", b"_-8="],
)
def test_what_two_decoders_could_read_differently_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        decode(octets)


def test_a_string_over_the_limit_is_refused() -> None:
    assert decode(b"YWJj", 4) == b"abc"
    with pytest.raises(LimitExceeded):
        decode(b"YWJj" * 2, 4)


@given(st.binary(max_size=60))
def test_what_is_encoded_reads_back(octets: bytes) -> None:
    assert decode(encode(octets)) == octets


@settings(max_examples=60)
@given(st.binary(max_size=40))
def test_any_octets_decode_or_are_refused(octets: bytes) -> None:
    with contextlib.suppress(MaildropError):
        assert encode(decode(octets)) == octets

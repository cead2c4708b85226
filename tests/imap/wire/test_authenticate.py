"""AUTHENTICATE: RFC 3501 section 6.2.2, RFC 4959."""

import base64

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import authenticate
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.authenticate import Authenticate, challenge, response
from maildrop.imap.wire.limits import Limits


def read(octets: bytes) -> Authenticate:
    return authenticate.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b" PLAIN", Authenticate(b"a", "PLAIN")),
        (b" scram-sha-256 ", Authenticate(b"a", "SCRAM-SHA-256")),
        (b" PLAIN =", Authenticate(b"a", "PLAIN", b"")),
        (b" PLAIN AHUAcA==", Authenticate(b"a", "PLAIN", b"\0u\0p")),
        (b" PLAIN AHUAcA== ", Authenticate(b"a", "PLAIN", b"\0u\0p")),
    ],
)
def test_mechanism_and_initial_response_are_read(
    octets: bytes, expected: Authenticate
) -> None:
    assert read(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [b"", b" ", b" (", b" PLAIN AHUAcA", b" PLAIN ==", b" PLAIN a b", b" P !!!!"],
)
def test_what_is_no_authenticate_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_a_star_cancels() -> None:
    assert response(b"*") is None
    assert response(b"* ") is None


def test_an_empty_line_is_an_empty_response() -> None:
    assert response(b"") == b""


@pytest.mark.parametrize(
    "line", [b"**", b"YQ", b"Y Q=", b"YQ==YQ==", b"\xff\xff\xff\xff"]
)
def test_a_response_that_is_not_base64_is_a_syntax_error(line: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        response(line)


def test_what_a_client_answers_is_not_shown() -> None:
    shown = repr(read(b" PLAIN AHVzZXIAcGFzcw=="))
    assert "pass" not in shown
    assert "user" not in shown


@given(st.binary(max_size=40))
def test_what_is_written_reads_back(octets: bytes) -> None:
    line = challenge(octets)
    assert line.startswith(b"+ ")
    assert response(line[2:-2]) == octets
    text = base64.b64encode(octets) or b"="
    assert read(b" PLAIN " + text).initial == octets


@given(st.binary(max_size=12))
def test_any_line_is_a_response_or_raises(line: bytes) -> None:
    try:
        octets = response(line)
    except ProtocolSyntaxError:
        return
    assert octets is None or len(octets) <= len(line)

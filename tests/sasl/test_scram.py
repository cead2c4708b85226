"""SCRAM: RFC 5802, RFC 7677."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import (
    AuthenticationFailed,
    LimitExceeded,
    MaildropError,
    ProtocolSyntaxError,
)
from maildrop.sasl.encoding import decode, encode
from maildrop.sasl.exchange import Proven, Refused, Step
from maildrop.sasl.scram import Scram, ScramKeys

SHA1 = ScramKeys.of("sha1", b"pencil", decode(b"QSXCR+Q6sek8bf92"), 4096)
SHA256 = ScramKeys.of("sha256", b"pencil", decode(b"W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)


def exchange(keys: ScramKeys, nonce: bytes, initial: bytes | None = None) -> Scram:
    return Scram(lambda _: keys, nonce, initial)


@pytest.mark.parametrize(
    ("keys", "nonce", "messages"),
    [
        (  # RFC 5802 section 5
            SHA1,
            b"3rfcNHYJY1ZVvWVs7j",
            [
                b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                b"s=QSXCR+Q6sek8bf92,i=4096",
                b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                b"p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
        ),
        (  # RFC 7677 section 3
            SHA256,
            b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            [
                b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
        ),
    ],
)
def test_the_examples_come_out_as_the_rfc_says(
    keys: ScramKeys, nonce: bytes, messages: list[bytes]
) -> None:
    first, challenge, final, signature = messages
    scram = exchange(keys, nonce)
    assert scram.step == b""
    assert scram.respond(first) == challenge
    assert scram.respond(final) == signature
    assert scram.respond(b"") == Proven("user")
    assert exchange(keys, nonce, first).step == challenge


def answer(first: bytes, challenge: Step, password: bytes, header: bytes) -> bytes:
    """What a client of RFC 5802 section 3 sends last."""
    assert isinstance(challenge, bytes)
    nonce, salt, count = (part[2:] for part in challenge.split(b",", 2))
    salted = hashlib.pbkdf2_hmac("sha256", password, decode(salt), int(count))
    key = hmac.digest(salted, b"Client Key", "sha256")
    bare = first.removeprefix(header)
    final = b"c=%b,r=%b" % (encode(header), nonce)
    signed = b",".join((bare, challenge, final))
    signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    return final + b",p=" + encode(proof)


@pytest.mark.parametrize(
    ("header", "escaped", "name"),
    [
        (b"n,,", b"user", "user"),
        (b"y,,", b"user", "user"),
        (b"n,a=user,", b"user", "user"),  # mutt and mbsync name themselves twice
        (b"n,,", b"a=2Cb=3Dc", "a,b=c"),
        (b"n,,", "jörg".encode(), "jörg"),
    ],
)
def test_a_client_that_knows_the_password_proves_it(
    header: bytes, escaped: bytes, name: str
) -> None:
    first = header + b"n=" + escaped + b",r=abc,x=extension"
    scram = exchange(SHA256, b"def", first)
    final = answer(first, scram.step, b"pencil", header)
    assert isinstance(scram.respond(final), bytes)
    assert scram.respond(b"") == Proven(name)


def test_a_client_that_does_not_is_refused_and_each_attempt_counts() -> None:
    evidence = set()
    for nonce in (b"1", b"2"):
        first = b"n,,n=user,r=abc"
        scram = exchange(SHA256, nonce, first)
        step = scram.respond(answer(first, scram.step, b"wrong", b"n,,"))
        assert isinstance(step, Refused)
        evidence.add(step.evidence)
    assert len(evidence) == 2


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n=user,r=abc",
        b"p=tls-unique,,n=user,r=abc",
        b"n,,n=user",
        b"n,,n=,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,m=must,n=user,r=abc",
        b"n,,n=user,r=a bc",
        b"n,,n=\xff,r=abc",
    ],
)
def test_first_messages_of_another_shape_are_refused(first: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        exchange(SHA256, b"def").respond(first)


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws,r=abcdef",
        b"c=biws,r=abcxyz,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"c=eSws,r=abcdef,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"c=biws,r=abcdef,p=dHzb",
        b"c=biws,r=abcdef,p=%%%",
    ],
)
def test_final_messages_that_do_not_belong_are_refused(final: bytes) -> None:
    scram = exchange(SHA256, b"def", b"n,,n=user,r=abc")
    with pytest.raises(ProtocolSyntaxError):
        scram.respond(final)


def test_acting_for_another_user_is_refused() -> None:
    with pytest.raises(AuthenticationFailed):
        exchange(SHA256, b"def", b"n,a=root,n=user,r=abc")


def test_octets_behind_the_end_are_refused() -> None:
    first = b"n,,n=user,r=abc"
    scram = exchange(SHA256, b"def", first)
    scram.respond(answer(first, scram.step, b"pencil", b"n,,"))
    with pytest.raises(ProtocolSyntaxError):
        scram.respond(b"x")


def test_messages_and_names_over_their_limits_are_refused() -> None:
    for first in (b"n,,n=user,r=" + b"a" * 3000, b"n,,n=" + b"u" * 300 + b",r=abc"):
        with pytest.raises(LimitExceeded):
            exchange(SHA256, b"def", first)


def test_keys_are_written_as_they_are_read() -> None:
    assert ScramKeys.parse("sha256", str(SHA256)) == SHA256
    assert ScramKeys.parse("sha1", str(SHA256)) is None


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([b"n,,n=user,r=abc", b"c=biws,r=abcdef,p=AAAA", b""]),
        ),
        max_size=4,
    )
)
def test_any_messages_without_the_password_prove_nothing(messages: list[bytes]) -> None:
    scram = exchange(SHA256, b"def")
    for message in messages:
        try:
            step = scram.respond(message)
        except MaildropError:
            return
        assert not isinstance(step, Proven)
        if not isinstance(step, bytes):
            return

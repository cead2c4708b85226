"""Mechanisms from the client's side, against our own server's."""

import base64

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.sasl.client import ITERATIONS_MAX, Client, Login, Scram, begin, choose
from maildrop.sasl.exchange import Credentials, Outcome, Proven, Refused
from maildrop.sasl.mechanisms import MECHANISMS, ScramSource, start
from maildrop.sasl.scram import ScramKeys

LOGIN = Login("j\u00f6rg, = x", "pa, ss=w\u00f6rd")


def converse(client: Client, mechanism: str, password: str) -> Outcome:
    def keys(algorithm: str, name: str) -> ScramKeys:
        assert name == LOGIN.name
        return ScramKeys.of(algorithm, password.encode(), b"salt", 4096)

    server = start(mechanism, client.initial(), ScramSource(keys, lambda: b"server"))
    for _ in range(5):
        step = server.step
        if not isinstance(step, bytes):
            return step
        server.respond(client.respond(base64.b64encode(step)))
    raise AssertionError("no end")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_server_is_satisfied(mechanism: str) -> None:
    """RFC 4616, RFC 5802, RFC 7677."""
    client = begin(mechanism, LOGIN, lambda: b"client")
    outcome = converse(client, mechanism, LOGIN.password)
    assert client.satisfied
    if isinstance(outcome, Credentials):
        assert outcome.password == LOGIN.password
        assert outcome.authentication == LOGIN.name
    else:
        assert outcome == Proven(LOGIN.name)


def test_a_wrong_password_proves_nothing() -> None:
    client = begin("SCRAM-SHA-256", LOGIN, lambda: b"client")
    assert isinstance(converse(client, "SCRAM-SHA-256", "another"), Refused)
    assert not client.satisfied


def test_the_example_of_the_standard() -> None:
    """RFC 7677 section 3."""
    client = Scram("sha256", Login("user", "pencil"), b"rOprNGfwEbeRWgbNEkqO")
    assert client.initial() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert client.respond(base64.b64encode(first)) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert client.respond(base64.b64encode(last)) == b""
    assert client.satisfied


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=another,s=c2FsdA==,i=4096",
        b"r=client,s=c2FsdA==,i=4096",
        b"r=client1,s=c2FsdA==,i=0",
        b"r=client1,s=c2FsdA==,i=%d" % (ITERATIONS_MAX + 1),
        b"r=client1,s=c2FsdA==",
        b"m=ext,r=client1,s=c2FsdA==,i=4096",
        b"e=other-error",
    ],
)
def test_what_is_no_first_message_is_not_answered(first: bytes) -> None:
    client = Scram("sha256", LOGIN, b"client")
    client.initial()
    with pytest.raises(ProtocolSyntaxError):
        client.respond(base64.b64encode(first))


@pytest.mark.parametrize("last", [b"v=AAAA", b"", b"e=invalid-proof"])
def test_a_server_that_does_not_know_the_password_is_found_out(last: bytes) -> None:
    """RFC 5802 section 3."""
    client = Scram("sha256", LOGIN, b"client")
    client.initial()
    client.respond(base64.b64encode(b"r=client1,s=c2FsdA==,i=4096"))
    with pytest.raises(ProtocolSyntaxError):
        client.respond(base64.b64encode(last))
    assert not client.satisfied


@pytest.mark.parametrize(
    ("offered", "cleartext", "best"),
    [
        (["LOGIN", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"], True, "SCRAM-SHA-256"),
        (["LOGIN", "PLAIN"], True, "PLAIN"),
        (["LOGIN", "PLAIN"], False, None),
        (["PLAIN", "SCRAM-SHA-1"], False, "SCRAM-SHA-1"),
        (["GSSAPI", "SCRAM-SHA-256-PLUS"], True, None),
        ([], True, None),
    ],
)
def test_the_best_mechanism_that_may_be_used(
    offered: list[str], cleartext: bool, best: str | None
) -> None:
    assert choose(offered, cleartext=cleartext) == best


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from(MECHANISMS))
def test_any_challenges_are_answered_or_refused(
    challenges: list[bytes], mechanism: str
) -> None:
    client = begin(mechanism, LOGIN, lambda: b"client")
    client.initial()
    for challenge in challenges:
        try:
            client.respond(challenge)
        except ProtocolSyntaxError:
            return


def test_no_password_stands_in_a_representation() -> None:
    assert LOGIN.password not in repr(LOGIN)

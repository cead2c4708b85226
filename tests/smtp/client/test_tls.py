"""TLS and logins: whom a session is held with, and what is shown there."""

from dataclasses import replace
from pathlib import Path

import pytest
from OpenSSL import SSL

from maildrop.errors import ConfigurationError
from maildrop.queue.entry import Kind, Result
from maildrop.sasl.client import Login
from maildrop.smtp.client.policy import NextHop
from maildrop.smtp.wire.opening import TLSPolicy
from maildrop.tls_client import Trust
from tests.smtp.client.conftest import MESSAGE, World, job
from tests.smtp.client.network import certificate
from tests.smtp.client.peer import CLOSE, MODERN, PASSWORD, Peer

OFFERS = (*MODERN, "STARTTLS")
LOGIN = Login("ann", PASSWORD)
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")


@pytest.fixture(scope="module")
def right() -> tuple[SSL.Context, bytes]:
    """A server's TLS, and the certificate to trust."""
    return certificate("mx.example.net")


@pytest.fixture
def ca(right: tuple[SSL.Context, bytes], tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes(right[1])
    return str(path)


def policy(world: World, tls: TLSPolicy, ca: str = "") -> None:
    world.default = replace(world.default, tls=tls, trust=Trust(ca))


def peers(world: World) -> list[Peer]:
    return list(world.network.sessions)


def sent(world: World) -> Result:
    return world.send()["a@example.net"]


@pytest.mark.parametrize("size", [0, 1, 100])
@pytest.mark.parametrize("tls", [TLSPolicy.OPPORTUNISTIC, TLSPolicy.VERIFIED])
def test_tls_is_used_where_it_is_offered(
    world: World, right: tuple[SSL.Context, bytes], ca: str, tls: TLSPolicy, size: int
) -> None:
    """RFC 3207 section 4.2: after it everything begins anew."""
    policy(world, tls, ca)
    world.serve(offers=OFFERS)
    world.network.tls["192.0.2.1"] = right[0]
    world.network.size = size
    assert sent(world).kind is Kind.PASSED_ON
    (peer,) = peers(world)
    assert peer.secure
    assert peer.taken[0].content == MESSAGE
    verbs = [each.split()[0] for each in peer.commands[:4]]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_tls_is_not_used_where_it_shall_not_be(world: World) -> None:
    world.serve(offers=OFFERS)
    assert sent(world).kind is Kind.PASSED_ON
    assert not peers(world)[0].secure


@pytest.mark.parametrize("offers", [OFFERS, MODERN])
@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "500 what?", "220 go on"])
def test_opportunistic_goes_on_in_clear_where_there_is_no_tls(
    world: World, offers: tuple[str, ...], answer: str
) -> None:
    """With a yes and no TLS behind it, on another connection."""
    policy(world, TLSPolicy.OPPORTUNISTIC)
    world.serve(offers=offers, answers={"STARTTLS": answer})
    assert sent(world).kind is Kind.PASSED_ON
    broken = offers is OFFERS and answer.startswith("2")
    assert len(peers(world)) == (2 if broken else 1)


def test_opportunistic_does_not_care_who_it_is(
    world: World, right: tuple[SSL.Context, bytes]
) -> None:
    policy(world, TLSPolicy.OPPORTUNISTIC)
    world.table.mx["example.net"] = [(10, "other.example.net")]
    world.table.a["other.example.net"] = ["192.0.2.1"]
    world.serve(offers=OFFERS)
    world.network.tls["192.0.2.1"] = right[0]
    assert sent(world).kind is Kind.PASSED_ON
    assert peers(world)[0].secure


@pytest.mark.parametrize(
    ("offers", "answers", "code"),
    [
        (MODERN, {}, "4.7.4"),
        (OFFERS, {"STARTTLS": "454 4.7.0 not now"}, "4.7.4"),
        (OFFERS, {"STARTTLS": "220 yes" + CLOSE}, "4.7.5"),
        (OFFERS, {}, "4.7.5"),
    ],
)
def test_verified_sends_nothing_without_tls(
    world: World, offers: tuple[str, ...], answers: dict[str, str], code: str
) -> None:
    policy(world, TLSPolicy.VERIFIED)
    world.serve(offers=offers, answers=answers)
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, code)
    assert len(peers(world)) == 1
    assert not any(each.startswith("MAIL") for each in peers(world)[0].commands)


def test_verified_sends_nothing_to_another_name(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    policy(world, TLSPolicy.VERIFIED, ca)
    world.table.mx["example.net"] = [(10, "other.example.net")]
    world.table.a["other.example.net"] = ["192.0.2.1"]
    world.serve(offers=OFFERS)
    world.network.tls["192.0.2.1"] = right[0]
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.5")
    assert "its certificate is not for other.example.net" in result.status.text
    assert not any(each.startswith("MAIL") for each in peers(world)[0].commands)


def test_verified_sends_nothing_to_whom_nobody_vouches_for(
    world: World, right: tuple[SSL.Context, bytes]
) -> None:
    policy(world, TLSPolicy.VERIFIED)
    world.serve(offers=OFFERS)
    world.network.tls["192.0.2.1"] = right[0]
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.5")
    assert "certificate verify failed" in result.status.text


def test_an_address_is_verified_where_there_is_no_name(
    world: World, tmp_path: Path
) -> None:
    context, pem = certificate("192.0.2.7")
    (tmp_path / "ca.pem").write_bytes(pem)
    trust = Trust(str(tmp_path / "ca.pem"))
    world.default = NextHop("192.0.2.7", tls=TLSPolicy.VERIFIED, trust=trust)
    world.serve("192.0.2.7", offers=OFFERS)
    world.network.tls["192.0.2.7"] = context
    assert sent(world).kind is Kind.PASSED_ON


def test_tls_may_begin_with_the_first_octet(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    """RFC 8314 section 3.3."""
    world.default = NextHop(
        "mx.example.net",
        465,
        tls=TLSPolicy.VERIFIED,
        implicit=True,
        trust=Trust(ca),
        login=LOGIN,
    )
    world.serve(offers=(*MODERN, "AUTH PLAIN"))
    world.network.tls["192.0.2.1"] = right[0]
    world.network.implicit.add("192.0.2.1")
    assert sent(world).kind is Kind.PASSED_ON
    assert peers(world)[0].user == "ann"


def test_answers_from_before_tls_end_the_session(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    """RFC 3207 section 6: somebody in between may have put them there."""
    policy(world, TLSPolicy.VERIFIED, ca)
    world.serve(
        offers=OFFERS, answers={"STARTTLS": "220 go on\r\n250-mx\r\n250 AUTH PLAIN"}
    )
    world.network.tls["192.0.2.1"] = right[0]
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.5.0")
    assert peers(world)[0].commands == ["EHLO mail.example.org", "STARTTLS"]


def test_authorities_that_are_no_certificates_are_named(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(b"nothing\n")
    policy(world, TLSPolicy.VERIFIED, str(tmp_path / "ca.pem"))
    world.serve(offers=OFFERS)
    with pytest.raises(ConfigurationError, match=r"ca\.pem: holds no certificates"):
        world.attempt(world.relay(), job())


# -- logins


def smarthost(
    world: World,
    ca: str,
    *mechanisms: str,
    tls: SSL.Context,
    answers: dict[str, str] | None = None,
) -> None:
    world.default = NextHop(
        "mx.example.net",
        587,
        tls=TLSPolicy.VERIFIED,
        trust=Trust(ca),
        login=LOGIN,
    )
    auth = "AUTH " + " ".join(mechanisms)
    offers = (*OFFERS, auth) if mechanisms else OFFERS
    world.serve(offers=offers, answers=answers)
    world.network.tls["192.0.2.1"] = tls


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_each_mechanism_lets_us_in(
    world: World, right: tuple[SSL.Context, bytes], ca: str, mechanism: str
) -> None:
    smarthost(world, ca, mechanism, tls=right[0])
    assert sent(world).kind is Kind.PASSED_ON
    (peer,) = peers(world)
    assert peer.user == "ann"
    assert any(each.startswith(f"AUTH {mechanism}") for each in peer.commands)


def test_the_best_mechanism_is_used(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    smarthost(world, ca, "LOGIN", "PLAIN", "SCRAM-SHA-256", tls=right[0])
    assert sent(world).kind is Kind.PASSED_ON
    assert any("AUTH SCRAM-SHA-256" in each for each in peers(world)[0].commands)


def test_a_login_that_is_refused_makes_the_mail_wait(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    """The fault is ours, and somebody will mend it."""
    smarthost(
        world, ca, "PLAIN", tls=right[0], answers={"AUTH": "535 5.7.8 wrong password"}
    )
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.8")
    assert result.status.text == "AUTH: 535 5.7.8 wrong password"
    assert PASSWORD not in str(result)


def test_a_server_that_asks_for_no_login_gets_no_mail(
    world: World, right: tuple[SSL.Context, bytes], ca: str
) -> None:
    smarthost(world, ca, tls=right[0])
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.0")


@pytest.mark.parametrize("tls", [TLSPolicy.NONE, TLSPolicy.OPPORTUNISTIC])
def test_no_password_goes_where_somebody_may_listen(
    world: World, right: tuple[SSL.Context, bytes], tls: TLSPolicy
) -> None:
    world.default = NextHop("mx.example.net", tls=tls, login=LOGIN)
    world.serve(offers=(*OFFERS, "AUTH PLAIN LOGIN"))
    world.network.tls["192.0.2.1"] = right[0]
    result = sent(world)
    assert (result.kind, result.status.code) == (Kind.WAITING, "4.7.0")
    assert "without verified TLS" in result.status.text
    assert not any("AUTH" in each for each in peers(world)[0].commands)


def test_scram_needs_no_tls(world: World) -> None:
    world.default = NextHop("mx.example.net", tls=TLSPolicy.NONE, login=LOGIN)
    world.serve(offers=(*MODERN, "AUTH PLAIN SCRAM-SHA-256"))
    assert sent(world).kind is Kind.PASSED_ON


def test_the_own_machine_may_hear_the_password(world: World) -> None:
    world.default = NextHop("127.0.0.1", tls=TLSPolicy.NONE, login=LOGIN)
    world.serve("127.0.0.1", offers=(*MODERN, "AUTH PLAIN"))
    assert sent(world).kind is Kind.PASSED_ON


@pytest.mark.parametrize(
    "answer",
    [
        "334 not base64",
        "334 " + "\r\n334 ",
        "235 2.7.0 welcome, without a word of proof",
        "334 cj1vdGhlcixzPWMyRnNkQT09LGk9NDA5Ng==",
        "250 what?",
    ],
)
def test_a_server_that_proves_nothing_gets_nothing(world: World, answer: str) -> None:
    """RFC 5802 section 5: the server proves to know the password too."""
    world.default = NextHop("mx.example.net", tls=TLSPolicy.NONE, login=LOGIN)
    world.serve(
        offers=(*MODERN, "AUTH SCRAM-SHA-256"), answers={"AUTH": answer, "cj": ""}
    )
    result = sent(world)
    assert result.kind is Kind.WAITING
    assert result.status.code in {"4.7.0", "4.5.0"}
    assert not any(each.startswith("MAIL") for each in peers(world)[0].commands)

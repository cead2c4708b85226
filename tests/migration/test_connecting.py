"""Where servers are, and when TLS begins."""

import pytest

from maildrop.errors import ConfigurationError
from maildrop.migration.connecting import Endpoint, Login, Security, endpoint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mail.example.org", "mail.example.org", 143),
        ("mail.example.org:1143", "mail.example.org", 1143),
        ("127.0.0.1:993", "127.0.0.1", 993),
        ("[::1]:993", "::1", 993),
        ("[::1]", "::1", 143),
        ("::1", "::1", 143),
    ],
)
def test_a_server_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    found = endpoint(text, 143)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("text", ["", ":143", "host:", "host:x", "host:0", "h:65536"])
def test_anything_else_is_refused(text: str) -> None:
    if text == "host:":
        assert endpoint(text, 143).port == 143
        return
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        endpoint(text, 143)


@pytest.mark.parametrize(
    ("host", "port", "security", "implicit", "starttls", "when_refused"),
    [
        ("mail.example.org", 143, "auto", False, True, True),
        ("mail.example.org", 993, "auto", True, True, True),
        ("127.0.0.1", 143, "auto", False, False, True),
        ("localhost", 143, "auto", False, False, True),
        ("::1", 995, "auto", True, False, True),
        ("mail.example.org", 143, "none", False, False, False),
        ("127.0.0.1", 143, "starttls", False, True, True),
        ("127.0.0.1", 143, "implicit", True, False, False),
    ],
)
def test_no_password_goes_over_a_network_in_clear_unless_asked_for(
    host: str,
    port: int,
    security: str,
    implicit: bool,
    starttls: bool,
    when_refused: bool,
) -> None:
    found = Endpoint(host, port, Security(security))
    assert found.implicit is implicit
    assert found.wants_starttls(refused=False) is starttls
    assert found.wants_starttls(refused=True) is when_refused


def test_certificates_are_verified_unless_turned_off_or_on_loopback() -> None:
    assert Endpoint("mail.example.org", 993).context().check_hostname
    assert not Endpoint("127.0.0.1", 993).context().check_hostname
    assert not Endpoint("mail.example.org", 993, verify=False).context().check_hostname


def test_a_login_does_not_show_its_password() -> None:
    assert "secret" not in repr(Login("maria", "secret"))
    assert str(Endpoint("::1", 143)) == "[::1]:143"

"""What the configuration says of mail to other servers."""

from pathlib import Path

import pytest

from maildrop.app.config import Reading, parse
from maildrop.app.schema_relay import Route
from maildrop.app.surroundings import look


def read(text: str, directory: str = "/etc") -> Reading:
    text = 'hostname = "mail.example.org"\n' + text
    return parse(text, f"{directory}/maildrop.toml")


def test_without_a_word_mail_goes_to_mail_exchangers() -> None:
    configuration = read("").configuration
    assert configuration.relay.smarthost == ""
    assert configuration.relay.families == ("ipv6", "ipv4")
    assert configuration.route == ()


def test_a_smarthost_and_routes() -> None:
    reading = read(
        '[relay]\nsmarthost = "SMTP.provider.example"\nport = 465\nuser = "ann"\n'
        'password_file = "secret"\n'
        '[[route]]\ndomain = ".Example.net"\nhost = "[2001:DB8::7]"\n'
        '[[route]]\ndomain = "example.org"\nhost = "/run/lmtp"\nprotocol = "lmtp"\n'
    )
    assert reading.problems == []
    relay = reading.configuration.relay
    assert relay.smarthost == "smtp.provider.example"
    assert relay.password_file == "/etc/secret"
    assert reading.configuration.route == (
        Route(".example.net", "2001:db8::7"),
        Route("example.org", "/run/lmtp", "lmtp"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[relay]\nuser = 'a'\nsmarthost = 'b.example'", "relay.password_file: is mis"),
        ("[relay]\npassword_file = 'a'\nsmarthost = 'b.example'", "relay.user: is mis"),
        ("[relay]\nuser = 'a'\npassword_file = 'b'", "relay.user: logs in nowhere"),
        ("[relay]\nsmarthost = 'a.example:587'", "port = 587"),
        ("[relay]\ntls = 'always'", "relay.tls"),
        ("[relay]\nport = 70000", "relay.port"),
        ("[relay]\nfamilies = []", "relay.families"),
        ("[[route]]\nhost = 'a.example'", "route[1].domain: is missing"),
        ("[[route]]\ndomain = 'a@b.example'", "route[1].domain"),
        ("[[route]]\ndomain = 'a.example'\nprotocol = 'lmtp'", "lmtp needs a host"),
        (
            "[[route]]\ndomain = 'a.example'\n[[route]]\ndomain = 'A.example'",
            'route[2].domain: "a.example" has a route already',
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, problem: str) -> None:
    reading = read(text)
    assert reading.fatal
    assert problem in "\n".join(map(str, reading.problems))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[relay]\nport = 26", "relay.port: is of no use"),
        (
            "[relay]\nsmarthost = 'a.example'\nuser = 'b'\npassword_file = 'c'\n"
            "tls = 'opportunistic'",
            "relay.tls: without verified TLS",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(text: str, problem: str) -> None:
    reading = read(text)
    assert not reading.fatal
    assert problem in "\n".join(map(str, reading.problems))


def test_files_that_are_missing_or_open_to_all_are_told(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o644)
    reading = read(
        "[relay]\nsmarthost = 'a.example'\nuser = 'b'\npassword_file = 'secret'\n"
        "[[route]]\ndomain = 'c.example'\nca = 'gone.pem'",
        str(tmp_path),
    )
    look(reading, 1000)
    told = "\n".join(map(str, reading.problems))
    assert f"relay.password_file: {secret} can be read by others" in told
    assert f"route[1].ca: {tmp_path}/gone.pem does not exist" in told

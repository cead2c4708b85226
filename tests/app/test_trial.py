"""A server without a configuration file."""

import pytest

from maildrop.app.config import Unusable
from maildrop.app.endpoints import parse
from maildrop.app.trial import TRIAL_PORTS, configuration

OPTIONS = {"passwd": "users", "imap": "1143", "pop3s": "1995", "lmtp": "1024"}


def test_the_ports_named_are_opened_on_loopback_alone() -> None:
    listens = configuration(OPTIONS, "/s").configuration.listen
    assert [(each.protocol, each.tls) for each in listens] == [
        ("imap", "starttls"),
        ("pop3", "implicit"),
        ("lmtp", "none"),
    ]
    assert all(parse(each.endpoint).local for each in listens)


def test_every_option_can_be_named() -> None:
    options = {"passwd": "x"} | {
        name: str(2000 + n) for n, name in enumerate(TRIAL_PORTS)
    }
    assert len(configuration(options, "/s").configuration.listen) == len(TRIAL_PORTS)


def test_location_and_domains_are_taken() -> None:
    options = OPTIONS | {"location": "mbox:~/inbox", "domain": "a.example,b.example"}
    mail = configuration(options, "/s").configuration.mail
    assert mail.location == "mbox:~/inbox"
    assert mail.domains == ("a.example", "b.example")


def test_without_a_port_there_is_nothing_to_try() -> None:
    with pytest.raises(Unusable, match="names no port"):
        configuration({"passwd": "x"}, "/s")


def test_problems_name_no_line_of_a_file_that_nobody_wrote() -> None:
    with pytest.raises(Unusable) as caught:
        configuration(OPTIONS | {"imap": "x", "location": "y"}, "/s")
    assert [str(each).partition(": ")[0] for each in caught.value.problems] == [
        "command line",
        "command line",
    ]

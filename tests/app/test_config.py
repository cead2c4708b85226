"""Loading the configuration: all problems at once, each with its line."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.app.config import Reading, Unusable, dotted, find, load, parse, read
from maildrop.app.schema import PROTOCOLS, Listen

FILE = "/etc/maildrop/maildrop.toml"


def told(text: str) -> list[str]:
    """The problems, without the file's name."""
    found = parse(text, FILE).problems
    return [str(problem).removeprefix(FILE + ":") for problem in found]


def test_an_empty_file_is_a_whole_configuration() -> None:
    reading = parse("", FILE)
    configuration = reading.configuration
    assert reading.problems == []
    assert configuration.users.passwd == "/etc/maildrop/passwd"
    assert configuration.users.home == "/var/lib/maildrop/home/%u"
    assert configuration.mail.location == "maildir:~/Maildir"
    assert configuration.mail.domains == (configuration.hostname, "localhost")
    assert configuration.tls.key == "/var/lib/maildrop/certs/server.key"
    assert configuration.auth.cleartext == "tls"
    assert {each.protocol for each in configuration.listen} == set(PROTOCOLS)


def test_without_listen_the_usual_ports_are_served() -> None:
    listens = [
        (each.protocol, each.endpoint, each.tls)
        for each in parse('state = "/s"', FILE).configuration.listen
    ]
    assert listens == [
        ("imap", "tcp:143", "starttls"),
        ("imap", "tcp:993", "implicit"),
        ("pop3", "tcp:110", "starttls"),
        ("pop3", "tcp:995", "implicit"),
        ("smtp", "tcp:25", "starttls"),
        ("submission", "tcp:587", "starttls"),
        ("lmtp", "unix:/s/lmtp.sock:mode=660", "none"),
    ]


def test_every_key_of_the_contract_is_read() -> None:
    text = """
version  = 1
hostname = "mail.example.org"
state    = "/var/lib/maildrop"
workers  = 0
[users]
passwd   = "passwd"
[mail]
domains  = ["example.org"]
location = "mbox:/var/spool/mail/%u:~/mail"
[tls]
certificate = "../certs/server.pem"
key         = "../certs/server.key"
[auth]
cleartext = "always"
[delivery]
aliases = ["/etc/aliases"]
[[listen]]
protocol = "imap"
endpoint = "tcp:143"
tls      = "starttls"
"""
    reading = parse(text, FILE)
    configuration = reading.configuration
    assert reading.problems == []
    assert configuration.hostname == "mail.example.org"
    assert configuration.workers == 0
    assert configuration.mail.domains == ("example.org",)
    assert configuration.mail.location == "mbox:/var/spool/mail/%u:~/mail"
    assert configuration.tls.certificate == "/etc/certs/server.pem"
    assert configuration.delivery.aliases == ("/etc/aliases",)
    assert configuration.listen == (Listen("imap", "tcp:143", "starttls"),)


def test_all_problems_come_at_once_with_their_lines() -> None:
    text = """version = 2
hostnam = "x"
domains = ["a.example"]
[mail]
location = "mailder:x"
domains = ["*"]
[limits]
message = "lots"
[[listen]]
protocol = "managesieve"
endpoint = "4190"
[[listen]]
protocol = "imp"
"""
    lines = [problem.partition(":")[0] for problem in told(text)]
    assert lines == ["1", "2", "3", "5", "6", "8", "10", "11", "12", "13"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'hostnam = "x"',
            '1: hostnam: is no key of this version; did you mean "hostname"?',
        ),
        ("domains = []", "1: domains: is no key of this version; it belongs in [mail]"),
        (
            'version = 1\n[mail]\nstate = "/x"',
            "3: mail.state: is no key of this version; it stands before all [tables]",
        ),
        ("mail = 1", "1: mail: must be a table; write [mail]"),
        ("[listen]", "1: listen: must be a list of tables; write [[listen]]"),
        ("listen = 1", "1: listen: must be tables; write [[listen]]"),
        ("version = 2", "1: version: is 2, must be from 1 to 1"),
        (
            '[[listen]]\nprotocol = "web"\nendpoint = "tcp:80"',
            "2: listen[1].protocol: this version does not serve web; "
            "it serves imap, pop3, smtp, submission, lmtp",
        ),
        (
            '[tls]\ncertificate = "x.pem"',
            "1: tls.key: is missing beside the other one",
        ),
        (
            '[[listen]]\nendpoint = "tcp:1"',
            '1: listen[1].protocol: is missing; such as protocol = "imap"',
        ),
        ("a = = 1", "1: is not TOML: invalid value"),
    ],
)
def test_a_problem_says_where_what_and_what_to_do(text: str, problem: str) -> None:
    assert problem in told(text)


def test_every_problem_of_a_listener_is_told() -> None:
    text = '[[listen]]\nprotocol = "imap4"\nendpoint = "tpc:1"\ntls = "yes"\n'
    assert [problem.split(": ")[1] for problem in told(text)] == [
        "listen[1].protocol",
        "listen[1].endpoint",
        "listen[1].tls",
    ]


def test_two_listens_on_one_port_are_a_problem() -> None:
    text = """
[[listen]]
protocol = "imap"
endpoint = "tcp:143"
[[listen]]
protocol = "pop3"
endpoint = "tcp:143:interface=127.0.0.1"
"""
    assert told(text) == [
        '7: listen[2].endpoint: "tcp:143:interface=127.0.0.1" is taken by listen[1]'
    ]


@pytest.mark.parametrize(
    ("protocol", "endpoint", "tls"),
    [
        ("imap", "tcp:143", "starttls"),
        ("imap", "tcp:993", "implicit"),
        ("submission", "tcp:465", "implicit"),
        ("imap", "unix:/x", "none"),
        ("lmtp", "tcp:24:interface=127.0.0.1", "none"),
        ("smtp", "tcp:2525", "starttls"),
    ],
)
def test_the_port_decides_on_tls_when_nobody_does(
    protocol: str, endpoint: str, tls: str
) -> None:
    text = f'[[listen]]\nprotocol = "{protocol}"\nendpoint = "{endpoint}"'
    (listen,) = parse(text, FILE).configuration.listen
    assert listen.tls == tls


@pytest.mark.parametrize(
    "domains", ['["*"]', '["."]', '[""]', '["*.example.org"]', '["@"]', '["%"]']
)
def test_no_configuration_takes_mail_for_everybody(domains: str) -> None:
    """RFC 5321 section 7.9: a server names what it relays and delivers for."""
    assert parse(f"[mail]\ndomains = {domains}", FILE).fatal


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as caught:
        load(str(tmp_path / "none.toml"))
    assert [each.what for each in caught.value.problems] == [
        "cannot be read: No such file or directory"
    ]


def test_a_file_that_is_not_utf_8_has_the_line(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"version = 1\nhostname = '\xff'\n")
    (problem,) = read(str(file)).problems
    assert (problem.line, problem.what) == (2, "is not UTF-8")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"#" * (1 << 20) + b"#")
    (problem,) = read(str(file)).problems
    assert "larger than" in problem.what


def test_a_good_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('hostname = "mail.example.org"\r\n')
    reading = load(str(file))
    assert reading.configuration.hostname == "mail.example.org"
    assert reading.configuration.users.passwd == str(tmp_path / "passwd")


def test_the_file_named_is_the_one_used(tmp_path: Path) -> None:
    assert find(str(tmp_path / "x")) == str(tmp_path / "x")


def test_unnamed_the_file_is_looked_for_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/maildrop.toml").touch()
    assert find(None) == str(tmp_path / "conf/maildrop.toml")


def test_a_problem_of_no_line_names_the_table_around_it() -> None:
    reading = parse("[mail]\n", FILE)
    reading.problem(("mail", "location"), "is odd", fatal=False)
    (problem,) = reading.problems
    assert str(problem) == f"{FILE}:1: mail.location: is odd (warning)"
    assert not reading.fatal


def test_elements_are_counted_from_one() -> None:
    assert dotted(("listen", 0, "endpoint")) == "listen[1].endpoint"


SNIPPETS = st.sampled_from(
    [
        "[mail]",
        "[tls]",
        "[[listen]]",
        "[listen]",
        "[limits]",
        "listen = []",
        "mail = 1",
        "version = 1",
        'state = ""',
        "domains = [1]",
        'location = "maildir:%q"',
        'protocol = "imap"',
        'endpoint = "tcp:1"',
        'endpoint = "x"',
        "tls = 3",
        "[mail.special_use]",
        'sent = "../x"',
        "x",
        "= 1",
    ]
)


@given(st.lists(SNIPPETS, max_size=8))
def test_any_text_is_a_configuration_or_has_problems(lines: list[str]) -> None:
    reading = parse("\n".join(lines), FILE)
    assert isinstance(reading, Reading)
    for problem in reading.problems:
        assert problem.what
        assert 0 <= problem.line <= len(lines) + 1

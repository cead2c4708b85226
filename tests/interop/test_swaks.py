"""swaks, with all it can do: protocols, extensions, TLS, logins, and sudden ends.

It has no options for parameters of MAIL and RCPT, but puts ``<`` and ``>`` around what
it is given: so one that is xtext (RFC 3461 section 4) may end with its ``>``.
"""

from collections.abc import Iterator

import pytest

from tests.interop.clients import (
    HOST,
    SENDER,
    assert_whole,
    imap_messages,
    message,
    pop3_messages,
)
from tests.interop.ports import free_port
from tests.interop.programs import Programs
from tests.interop.server import BIN, DOMAIN, MAILDIR, MBOX, PASSWORD, Server, until

LETTER = message("letter", "\r\n.\r\n..\r\nGrüße\r\nend".encode())
PROXIED = """
[[listen]]
protocol = "smtp"
endpoint = "tcp:{port}:interface=127.0.0.1"
proxies  = ["127.0.0.1"]
[[listen]]
protocol = "lmtp"
endpoint = "unix:DIRECTORY/lmtp.sock:mode=600"
tls      = "none"
"""


class Swaks:
    """swaks on a server.

    Args:
        server: Where to.
        programs: Runs it.
    """

    def __init__(self, server: Server, programs: Programs) -> None:
        self._server = server
        self._programs = programs
        self.data = programs.file("letter", LETTER.replace(b"\r\n", b"\n"))
        self.ca = ("--tls-verify", "--tls-ca-path", server.certificate)
        self.login = ("--auth-user", MAILDIR.name, "--auth-password", PASSWORD)

    def __call__(
        self,
        port: str | int,
        *arguments: object,
        sender: str = SENDER,
        to: str = MAILDIR.address,
        status: int = 0,
    ) -> bytes:
        """Run it on a port; gives what it printed."""
        number = self._server.ports[port] if isinstance(port, str) else port
        where = ("--server", HOST, "--port", number)
        return self.run(*where, *arguments, sender=sender, to=to, status=status)

    def run(
        self,
        *arguments: object,
        sender: str = SENDER,
        to: str = MAILDIR.address,
        status: int = 0,
    ) -> bytes:
        """Run it; gives what it printed."""
        envelope = ("--from", sender, "--to", to, "--ehlo", "client.example")
        data = () if "--body" in arguments else ("--data", f"@{self.data}")
        every = (*envelope, *data, *arguments)
        return self._programs.run("swaks", *every, status=(status,))


@pytest.fixture(scope="module")
def proxied() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(proxied: int) -> Iterator[Server]:
    with Server(configuration=PROXIED.format(port=proxied)) as running:
        yield running
        assert running.trouble() == []


@pytest.fixture
def swaks(server: Server, programs: Programs) -> Swaks:
    return Swaks(server, programs)


def count(server: Server) -> int:
    return len(imap_messages(server, MAILDIR))


PROTOCOLS = {
    "SMTP": ("smtp", b"with SMTP"),
    "ESMTP": ("smtp", b"with ESMTP"),
    "ESMTPS": ("smtp", b"with ESMTPS"),
    "ESMTPA": ("submission", b"with ESMTPA"),
    "ESMTPSA": ("submission", b"with ESMTPSA"),
    "SSMTPA": ("submissions", b"with ESMTPSA"),
    "LMTP": ("lmtp", b"with LMTP"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol(server: Server, swaks: Swaks, protocol: str) -> None:
    """RFC 3848: what Received says after ``with``."""
    port, received = PROTOCOLS[protocol]
    before = count(server)
    login = swaks.login if protocol.endswith("A") else ()
    sender = MAILDIR.address if login else SENDER
    swaks(port, "--protocol", protocol, *swaks.ca, *login, sender=sender)
    stored = imap_messages(server, MAILDIR)[before:]
    assert_whole(stored, [LETTER + b"\r\n"])
    assert b" " + received + b" id " in stored[0]


def test_pipelining_with_recipients_good_and_bad(server: Server, swaks: Swaks) -> None:
    """RFC 2920: one reply each, in order, though one recipient is nobody."""
    before = [len(imap_messages(server, user)) for user in (MAILDIR, MBOX)]
    to = f"{MAILDIR.address},nobody@{DOMAIN},{MBOX.address}"
    swaks("smtp", "--pipeline", to=to)
    for user, start in zip((MAILDIR, MBOX), before, strict=True):
        assert_whole(imap_messages(server, user)[start:], [LETTER + b"\r\n"])


@pytest.mark.parametrize("port", ["smtp", "lmtp"])
def test_all_parameters_of_mail_and_rcpt(
    server: Server, swaks: Swaks, port: str
) -> None:
    """RFC 1870, 6152, 6531, 3461, 4954."""
    before = count(server)
    size = len(LETTER) + 2
    sender = (
        f"grüße@elsewhere.example> SIZE={size} BODY=8BITMIME SMTPUTF8 "
        "AUTH=<> RET=HDRS ENVID=QQ+2B314159"
    )
    to = f"{MAILDIR.address}> NOTIFY=FAILURE ORCPT=rfc822;first@elsewhere.example"
    protocol = "LMTP" if port == "lmtp" else "ESMTP"
    swaks(port, "--protocol", protocol, "--pipeline", sender=sender, to=to)
    [octets] = imap_messages(server, MAILDIR)[before:]
    assert octets.startswith("Return-Path: <grüße@elsewhere.example>\r\n".encode())
    assert octets.endswith(LETTER + b"\r\n")


def test_success_is_told_who_asks(server: Server, swaks: Swaks) -> None:
    """RFC 3464 with what RFC 3461 section 4 lets a client say."""
    before = len(imap_messages(server, MBOX))
    sender = f"{MBOX.address}> RET=FULL ENVID=QQ314159"
    swaks(
        "smtp",
        sender=sender,
        to=f"{MAILDIR.address}> NOTIFY=SUCCESS ORCPT=rfc822;{MAILDIR.address}",
    )
    [report] = until(lambda: imap_messages(server, MBOX)[before:], "the report")
    assert b"\r\nOriginal-Envelope-Id: QQ314159>\r\n" in report
    assert b"\r\nAction: delivered\r\n" in report
    assert f"\r\nOriginal-Recipient: rfc822; {MAILDIR.address}>\r\n".encode() in report
    assert b"\r\nSubject: letter\r\n" in report


@pytest.mark.parametrize(
    ("sender", "answer"),
    [
        ("a@b.example> SIZE=99999999999 ENVID=1", b"552 5.3.4 "),
        ("a@b.example> BODY=BINARYMIME ENVID=1", b"501 5.5.4 "),
        ("a@b.example> RET=SOME ENVID=1", b"501 5.5.4 "),
        ("a@b.example> TURN=1", b"555 5.5.4 "),
        ("grüße@b.example", b"553 5.6.7 "),
    ],
)
def test_parameters_that_are_wrong(swaks: Swaks, sender: str, answer: bytes) -> None:
    told = swaks("smtp", sender=sender, status=23)
    assert b"<** " + answer in told


# -- TLS

TLS = {
    "starttls": ("submission", ["--tls"]),
    "on-connect": ("submissions", ["--tls-on-connect"]),
    "1.2": ("submission", ["--tls", "--tls-protocol", "tlsv1_2"]),
    "1.3": ("submission", ["--tls", "--tls-protocol", "tlsv1_3"]),
    "cipher": ("submission", ["--tls", "--tls-cipher", "ECDHE+AESGCM"]),
    "optional": ("submission", ["--tls-optional"]),
    "sni": ("submission", ["--tls", "--tls-sni", "localhost"]),
}


@pytest.mark.parametrize("way", TLS)
def test_tls(server: Server, swaks: Swaks, way: str) -> None:
    before = count(server)
    port, arguments = TLS[way]
    swaks(port, "--auth", *swaks.login, *swaks.ca, *arguments, sender=MAILDIR.address)
    [octets] = imap_messages(server, MAILDIR)[before:]
    version = way if way in {"1.2", "1.3"} else "1."
    assert f"(using TLSv{version}".encode() in octets


def test_tls_of_old_is_not_spoken(swaks: Swaks) -> None:
    """RFC 8996."""
    swaks("submission", "--tls", "--tls-protocol", "tlsv1_1", status=29)


def test_a_certificate_of_the_client_is_no_trouble(
    server: Server, swaks: Swaks, programs: Programs
) -> None:
    before = count(server)
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client")
    programs.run("openssl", *request, "-keyout", "key.pem", "-out", "client.pem")
    its = ("--tls-cert", "client.pem", "--tls-key", "key.pem")
    told = swaks("smtp", "--tls", *swaks.ca, *its, "--tls-get-peer-cert", "peer.pem")
    assert b"TLS peer DN" in told
    peer = (programs.home / "peer.pem").read_text()
    assert peer.strip() in server.certificate.read_text()
    assert count(server) == before + 1


# -- logins


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", ""])
@pytest.mark.parametrize("pipeline", [(), ("--pipeline",)])
def test_mechanisms(
    server: Server, swaks: Swaks, mechanism: str, pipeline: tuple[str, ...]
) -> None:
    before = count(server)
    auth = ("--auth", mechanism) if mechanism else ("--auth",)
    arguments = ("--tls", *auth, *swaks.login, *pipeline)
    swaks("submission", *arguments, sender=MAILDIR.address)
    assert count(server) == before + 1


def test_mechanisms_that_are_not_offered(swaks: Swaks) -> None:
    for name in ("CRAM-MD5", "CRAM-SHA1"):
        swaks("submission", "--tls", "--auth", name, *swaks.login, status=28)


def test_a_wrong_password_and_none(server: Server, swaks: Swaks) -> None:
    before = count(server)
    wrong = ("--auth-user", MAILDIR.name, "--auth-password", "wrong")
    told = swaks("submission", "--tls", "--auth", "PLAIN", *wrong, status=28)
    assert b"<~* 535 5.7.8 " in told
    told = swaks("submission", "--tls", status=23)
    assert b"<~* 530 5.7.0 " in told
    told = swaks("submission", "--tls", "--auth", *swaks.login, status=23)
    assert b"<~* 553 5.7.1 " in told  # that sender is not hers
    assert count(server) == before


# -- proxies, and what is not offered


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("family", [4, 6])
def test_a_proxy_says_whom_it_speaks_for(
    server: Server, swaks: Swaks, proxied: int, version: int, family: int
) -> None:
    before = count(server)
    source, destination = ("192.0.2.7", "192.0.2.25")
    if family == 6:
        source, destination = ("2001:db8::7", "2001:db8::25")
    name = f"TCP{family}" if version == 1 else f"AF_INET{6 if family == 6 else ''}"
    its = ("--proxy-version", version, "--proxy-family", name)
    ends = ("--proxy-source", source, "--proxy-dest", destination)
    ports = ("--proxy-source-port", 40_000, "--proxy-dest-port", 25)
    swaks(proxied, *its, *ends, *ports)
    [octets] = imap_messages(server, MAILDIR)[before:]
    written = f"IPv6:{source}" if family == 6 else source
    assert f"from client.example ([{written}])".encode() in octets


def test_who_does_not_speak_for_anybody_is_not_let_in(
    swaks: Swaks, proxied: int
) -> None:
    swaks(proxied, "--proxy", "UNKNOWN")
    swaks(proxied, "--proxy", "nonsense", status=6)
    told = swaks("smtp", "--proxy", "UNKNOWN", status=25)
    assert b"500 5.5.1 " in told


def test_what_is_not_offered_is_not_missed(server: Server, swaks: Swaks) -> None:
    before = count(server)
    swaks("smtp", "--xclient-optional", "--xclient-addr", "192.0.2.1")
    swaks("smtp", "--auth-optional", "--auth-user", "x", "--auth-password", "y")
    assert count(server) == before + 2
    swaks("smtp", "--xclient-addr", "192.0.2.1", status=33)
    swaks("smtp", "--prdr", status=30)


# -- ends

STOPS = ("FIRST-HELO", "TLS", "HELO", "AUTH", "MAIL", "RCPT")


@pytest.mark.parametrize("how", ["--quit-after", "--drop-after", "--drop-after-send"])
def test_sudden_ends(server: Server, swaks: Swaks, how: str) -> None:
    """Nothing is delivered but what was ended with a dot; nothing is left open."""
    before = count(server)
    stops = ("CONNECT", *STOPS) if how == "--quit-after" else (*STOPS, "DATA", "DOT")
    for stop in stops:
        arguments = ("--tls", "--auth", *swaks.login, how, stop)
        swaks("submission", *arguments, sender=MAILDIR.address)
    until(lambda: server.who() == [], "all sessions to end")
    if how == "--quit-after":
        assert count(server) == before
    else:
        came = until(lambda: imap_messages(server, MAILDIR)[before:], "the message")
        assert_whole(came, [LETTER + b"\r\n"])


# -- other ways to get there, other content


def test_through_a_pipe_to_sendmail(server: Server, swaks: Swaks) -> None:
    """``sendmail -bs`` speaks SMTP to a program that started it."""
    before = count(server)
    binary = BIN / "maildrop"
    swaks.run("--pipe", f"{binary} --config {server.file} sendmail -bs")
    [octets] = until(lambda: imap_messages(server, MAILDIR)[before:], "mail")
    assert octets.endswith(LETTER + b"\r\n")


def test_over_a_socket(server: Server, swaks: Swaks) -> None:
    before = count(server)
    path = server.directory / "lmtp.sock"
    swaks.run("--socket", path, "--protocol", "LMTP")
    assert_whole(imap_messages(server, MAILDIR)[before:], [LETTER + b"\r\n"])


def test_attachments(server: Server, swaks: Swaks, programs: Programs) -> None:
    before = count(server)
    picture = programs.file("picture.bin", bytes(range(256)) * 400)
    typed = ("--attach-type", "image/png", "--attach-name", "grüße.png")
    parts = ("--body", "hello", *typed, "--attach", f"@{picture}")
    swaks("smtp", *parts, "--header", "Subject: parts", "--add-header", "X-One: 1")
    [octets] = imap_messages(server, MAILDIR)[before:]
    assert b"\r\nContent-Type: multipart/mixed" in octets
    assert b"\r\nX-One: 1\r\n" in octets
    assert pop3_messages(server, MAILDIR)[-1] == octets

"""Mail through a Postfix that demands TLS and a login, and is killed meanwhile."""

import json
import random
import re
import smtplib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.interop.clients import trust
from tests.interop.server import MAILDIR, PASSWORD, Server, until
from tests.interop.smarthost import PASSWORD as SECRET, USER, Smarthost

SEED = 20261122
_ID = re.compile(rb"\(Postfix\) with ESMTPSA id (\w+)")
_SUBJECT = re.compile(rb"^Subject: (.*?)\r?$", re.MULTILINE)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Smarthost]:
    with Smarthost() as running:
        yield running


@contextmanager
def sending(
    postfix: Smarthost, *, port: int = 0, ca: bool = True, more: str = ""
) -> Iterator[Server]:
    """A server whose smarthost that is."""
    lines = [
        "[relay]",
        'smarthost = "localhost"',
        f"port = {port or postfix.port}",
        f'user = "{USER}"',
        'password_file = "secret"',
        more,
        f'ca = "{postfix.certificate}"' if ca else "",
        '[queue]\nretry = ["1s"]\nrest = "0.2s"',
    ]
    server = Server([MAILDIR], "\n".join(lines), ports=["submission"])
    secret = server.directory / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    with server:
        yield server


def submit(server: Server, *recipients: str, text: str) -> dict[str, Any]:
    """Maria sends; gives the recipients that were refused."""
    with smtplib.SMTP("127.0.0.1", server.ports["submission"], timeout=30) as client:
        client.starttls(context=trust(server))
        client.login(MAILDIR.name, PASSWORD)
        return client.sendmail(MAILDIR.address, recipients, text.encode())


def waiting(server: Server) -> list[Any]:
    """What the queue holds."""
    listed = server.maildrop("queue", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[Any] = json.loads(listed.stdout)
    return found


def message(name: str, octets: int = 1000) -> str:
    line = f".{name} " + "x" * 60 + "\r\n"
    return f"Subject: {name}\r\n\r\n" + line * (octets // len(line) + 1)


def subjects(postfix: Smarthost) -> Counter[str]:
    found = (_SUBJECT.search(mail, 0, 4096) for mail in postfix.mail())
    return Counter(each[1].decode() for each in found if each)


def taken(postfix: Smarthost) -> Counter[str]:
    """How often Postfix took each; what it delivers twice when it is killed is once."""
    found = set()
    for mail in postfix.mail():
        subject, its = _SUBJECT.search(mail, 0, 4096), _ID.search(mail, 0, 4096)
        assert subject is not None
        assert its is not None
        found.add((subject[1].decode(), its[1]))
    return Counter(subject for subject, _ in found)


def logins(postfix: Smarthost) -> int:
    """How often somebody connected to log in."""
    return len(re.findall(r"disconnect from .* auth=1 ", postfix.logged()))


def test_mail_goes_through_with_tls_and_login(postfix: Smarthost) -> None:
    """Its certificate is verified; SCRAM is the best that both have."""
    with sending(postfix) as server:
        names = [f"plain-{at}" for at in range(5)]
        for name in names:
            submit(server, "a@far.example", text=message(name))
        large = message("large", 5_000_000)
        submit(server, "b@far.example", "nobody@far.example", text=large)
        until(lambda: all(subjects(postfix)[name] == 1 for name in [*names, "large"]))
        (came,) = (mail for mail in postfix.mail() if b"Subject: large" in mail)
        body = large.replace("\r\n", "\n").encode().partition(b"\n\n")[2]
        assert came.partition(b"\n\n")[2] == body
        new = server.maildir(MAILDIR) / "new"
        until(lambda: new.is_dir() and list(new.iterdir()), "the report to arrive")
        (report,) = (path.read_bytes() for path in new.iterdir())
        assert b"Status: 5.1.1" in report
        assert b"nobody@far.example" in report
        assert b"nobody has that name" in report
        until(lambda: waiting(server) == [])
        assert server.trouble() == []
    assert "sasl_method=SCRAM-SHA-256" in postfix.logged()


def test_sessions_are_used_again(postfix: Smarthost) -> None:
    before = logins(postfix)
    with sending(postfix, more='keep = "20s"') as server:
        for at in range(8):
            submit(server, "a@far.example", text=message(f"again-{at}"))
            until(lambda at=at: subjects(postfix)[f"again-{at}"])  # type: ignore[misc]
    until(lambda: logins(postfix) > before)
    assert logins(postfix) - before <= 2


def test_tls_from_the_first_octet(postfix: Smarthost) -> None:
    """RFC 8314 section 3.3."""
    with sending(postfix, port=postfix.implicit, more='tls = "implicit"') as server:
        submit(server, "a@far.example", text=message("implicit"))
        until(lambda: subjects(postfix)["implicit"] == 1)


def test_a_certificate_of_strangers_makes_the_mail_wait(postfix: Smarthost) -> None:
    with sending(postfix, ca=False) as server:
        submit(server, "a@far.example", text=message("untrusted"))
        until(lambda: "certificate verify failed" in server.log())
        assert len(waiting(server)) == 1
    assert subjects(postfix)["untrusted"] == 0


def test_a_wrong_password_makes_the_mail_wait(postfix: Smarthost) -> None:
    with sending(postfix) as server:
        secret = server.directory / "secret"
        secret.write_text("wrong\n")
        server.stop()
        server.start()
        submit(server, "a@far.example", text=message("wrong"))
        until(lambda: "4.7.8" in server.log())
        assert SECRET not in server.log()
        secret.write_text(SECRET + "\n")
        server.stop()
        server.start()
        until(lambda: subjects(postfix)["wrong"] == 1)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_other_mechanisms(postfix: Smarthost, mechanism: str) -> None:
    with sending(postfix, port=postfix.only[mechanism]) as server:
        submit(server, "a@far.example", text=message(mechanism))
        until(lambda: subjects(postfix)[mechanism] == 1)
    assert f"sasl_method={mechanism}" in postfix.logged()


def test_both_ends_may_be_killed_and_nothing_is_lost() -> None:
    """What was accepted arrives, and once.

    But for what was under way when one was killed: a kill between the end of a message
    and its answer is the one case in which mail may arrive twice (RFC 5321 section
    4.5.4.2).
    """
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    names = [f"killed-{at}" for at in range(60)]
    under_way: set[str] = set()
    with Smarthost() as postfix, sending(postfix) as server:
        for at, name in enumerate(names):
            submit(server, f"{name}@far.example", text=message(name, 20_000))
            time.sleep(chance.random() * 0.05)
            if at % 10 == 9:
                waits = {each["recipients"] for each in waiting(server)}
                under_way |= {each.partition("@")[0] for each in waits}
            if at % 20 == 9:
                postfix.kill()
                time.sleep(chance.random())
                postfix.start()
            if at % 20 == 19:
                server.kill()
                server.start()
        until(lambda: set(subjects(postfix)) >= set(names), "all mail to arrive")
        until(lambda: waiting(server) == [])
        twice = {name for name, times in taken(postfix).items() if times > 1}
        assert twice <= under_way
        assert len(twice) <= 6
        assert set(subjects(postfix)) == set(names)  # no reports, nothing else
        new = server.maildir(MAILDIR) / "new"
        assert not new.is_dir() or list(new.iterdir()) == []

"""Mail through a Postfix that demands TLS and a login, and is killed meanwhile."""

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.postfix import PASSWORD, USER, Postfix
from tests.interop.server import PATIENCE, until

ROOT = Path(__file__).parent.parent.parent
SEED = 20261122
_SUBJECT = re.compile(rb"^Subject: (.*?)\r?$", re.MULTILINE)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    with Postfix() as running:
        yield running


class Outgoing:
    """A queue in a process of its own."""

    def __init__(self, directory: Path, relay: str) -> None:
        self.directory = directory
        secret = directory / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        file = directory / "maildrop.toml"
        file.write_text(f'hostname = "mail.example.org"\n[relay]\n{relay}\n')
        self.log = directory / "log"
        self.output = directory / "output"
        with self.log.open("wb") as log, self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.interop.outgoing_queue", str(file)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=log,
            )

    def send(self, entry_id: str, *recipients: str, text: str) -> None:
        assert self._process.stdin
        fact = {"id": entry_id, "recipients": recipients, "text": text}
        self._process.stdin.write(json.dumps(fact).encode() + b"\n")
        self._process.stdin.flush()

    def results(self) -> list[Any]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def end(self) -> list[Any]:
        """When the queue is empty: what became of recipients."""
        assert self._process.stdin
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0, self.log.read_text()[-3000:]
        assert "Traceback" not in self.log.read_text()
        return self.results()

    def kill(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(PATIENCE)


def relay(postfix: Postfix, *, port: int = 0, ca: bool = True, more: str = "") -> str:
    lines = [
        'smarthost = "localhost"',
        f"port = {port or postfix.starttls}",
        f'user = "{USER}"',
        'password_file = "secret"',
        more,
    ]
    if ca:
        lines.append(f'ca = "{postfix.certificate}"')
    return "\n".join(lines)


def message(name: str, octets: int = 1000) -> str:
    line = f".{name} " + "x" * 60 + "\r\n"
    return f"Subject: {name}\r\n\r\n" + line * (octets // len(line) + 1)


def subjects(postfix: Postfix) -> Counter[str]:
    found = (_SUBJECT.search(mail) for mail in postfix.mail())
    return Counter(each[1].decode() for each in found if each)


def test_mail_goes_through_with_tls_and_login(postfix: Postfix, tmp_path: Path) -> None:
    """Its certificate is verified; SCRAM is the best that both have."""
    outgoing = Outgoing(tmp_path, relay(postfix))
    for at in range(5):
        outgoing.send(f"A{at}", "a@far.example", text=message(f"plain-{at}"))
    outgoing.send(
        "B", "b@far.example", "nobody@far.example", text=message("large", 5_000_000)
    )
    results = outgoing.end()
    kinds = {(each[0], each[1]): each[2] for each in results}
    assert kinds.pop(("B", "nobody@far.example")) == "failed"
    assert set(kinds.values()) == {"passed on"}
    assert len(kinds) == 6
    names = [f"plain-{at}" for at in range(5)] + ["large"]
    until(lambda: all(subjects(postfix)[name] == 1 for name in names))
    (large,) = (mail for mail in postfix.mail() if b"Subject: large" in mail)
    sent = message("large", 5_000_000).replace("\r\n", "\n").encode()
    assert large.partition(b"\n\n")[2] == sent.partition(b"\n\n")[2]
    assert "sasl_method=SCRAM-SHA-256" in postfix.logged()


def test_sessions_are_used_again(postfix: Postfix, tmp_path: Path) -> None:
    outgoing = Outgoing(tmp_path, relay(postfix, more='keep = "10s"'))
    before = postfix.logged().count("sasl_method=")
    connects = postfix.logged().count(" connect from")
    for at in range(20):
        outgoing.send(f"A{at}", "a@far.example", text=message(f"again-{at}"))
        until(lambda at=at: len(outgoing.results()) > at)  # type: ignore[misc]
    outgoing.end()
    until(lambda: sum(name.startswith("again-") for name in subjects(postfix)) == 20)
    assert postfix.logged().count("sasl_method=") - before == 20  # a line a message
    assert postfix.logged().count(" connect from") - connects <= 2


def test_tls_from_the_first_octet(postfix: Postfix, tmp_path: Path) -> None:
    """RFC 8314 section 3.3."""
    told = relay(postfix, port=postfix.implicit, more='tls = "implicit"')
    outgoing = Outgoing(tmp_path, told)
    outgoing.send("A", "a@far.example", text=message("implicit"))
    assert outgoing.end()[0][2] == "passed on"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ca": False}, "certificate verify failed"),
        ({"more": 'tls = "opportunistic"'}, ""),
    ],
)
def test_a_certificate_counts_where_it_shall(
    postfix: Postfix, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    outgoing = Outgoing(tmp_path, relay(postfix, **change))
    outgoing.send("A", "a@far.example", text=message("certificate"))
    if reason:
        until(lambda: reason in outgoing.log.read_text())
        outgoing.kill()
        assert outgoing.results() == []
    else:
        assert outgoing.end()[0][2] == "passed on"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-1"])
def test_other_mechanisms(tmp_path: Path, mechanism: str) -> None:
    with Postfix(mechanism) as postfix:
        outgoing = Outgoing(tmp_path, relay(postfix))
        outgoing.send("A", "a@far.example", text=message("mechanism"))
        assert outgoing.end()[0][2] == "passed on"
        assert f"sasl_method={mechanism}" in postfix.logged()


def test_a_smarthost_that_is_killed_and_revived_has_all_mail(tmp_path: Path) -> None:
    """What was accepted is there; what was not is sent again.

    A kill between the end of a message and its answer makes the one case in which mail
    may arrive twice (RFC 5321 section 4.5.4.2); never is any lost.
    """
    chance = random.Random(SEED)  # noqa: S311 (no secret)
    with Postfix() as postfix:
        outgoing = Outgoing(tmp_path, relay(postfix))
        names = [f"killed-{at}" for at in range(60)]
        for at, name in enumerate(names):
            outgoing.send(name, "a@far.example", text=message(name, 20_000))
            time.sleep(chance.random() * 0.05)
            if at % 20 == 10:
                postfix.kill()
                time.sleep(0.3)
                postfix.start()
        results = outgoing.end()
        assert Counter(each[2] for each in results) == {"passed on": 60}
        until(lambda: set(subjects(postfix)) >= set(names))
        assert sum(subjects(postfix).values()) <= 60 + 3

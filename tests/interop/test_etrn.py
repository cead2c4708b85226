"""One maildrop asks another for the mail that waits there."""

import json
import smtplib
from collections.abc import Iterator

import pytest

from tests.interop.clients import trust
from tests.interop.server import MAILDIR, PASSWORD, Server, until

#: Nobody listens where the mail of the branch goes.
HUB = """
[relay]
etrn = ["branch.example"]
[[route]]
domain = "branch.example"
host = "127.0.0.1"
port = 1
[queue]
retry = ["1h"]
rest = "0s"
"""


@pytest.fixture
def hub() -> Iterator[Server]:
    with Server([MAILDIR], HUB, ports=["submission", "smtp"]) as running:
        with smtplib.SMTP("127.0.0.1", running.ports["submission"]) as client:
            client.starttls(context=trust(running))
            client.login(MAILDIR.name, PASSWORD)
            client.sendmail(MAILDIR.address, ["a@branch.example"], "Subject: x\n\nx\n")
        until(lambda: tries(running) == 1)
        yield running


def tries(server: Server) -> int:
    """How often the one message that waits was tried."""
    [entry] = json.loads(server.maildrop("queue", "list", "--json").stdout)
    shown = server.maildrop("queue", "show", "--json", entry["id"])
    [recipient] = json.loads(shown.stdout)["recipients"]
    count: int = recipient["tries"]
    return count


def test_what_waits_is_tried_when_its_server_asks(hub: Server) -> None:
    relay = f'[relay]\nsmarthost = "127.0.0.1"\nport = {hub.ports["smtp"]}\n'
    branch = Server([], relay, domains=["branch.example", "other.example"])
    try:
        asked = branch.maildrop("etrn", "127.0.0.1", "--json")
        assert asked.returncode == 75, asked.stderr
        first, second = json.loads(asked.stdout)
        assert (first["domain"], first["done"]) == ("branch.example", True)
        assert first["answer"].startswith("253 ")
        assert (second["domain"], second["done"]) == ("other.example", False)
        assert second["answer"].startswith("459 ")
        until(lambda: tries(hub) == 2)
        nobody = branch.maildrop("etrn", "127.0.0.9", "branch.example")
        assert nobody.returncode == 75
        assert "no connection to 127.0.0.9" in nobody.stderr
    finally:
        branch.remove()

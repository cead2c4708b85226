"""``maildrop check`` beside a server with clients."""

import json
import threading

import pytest

from tests.interop.clients import deliver, imap, message
from tests.interop.server import MAILDIR, MBOX, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)


@USERS
def test_a_mailbox_at_work_has_nothing_wrong(server: Server, user: User) -> None:
    deliver(server, user, *(message(f"before-{n}") for n in range(150)))
    client = imap(server, user)
    client.select()
    over = threading.Event()

    def work() -> None:
        try:
            for n in range(60):
                deliver(server, user, message(f"meanwhile-{n}"))
                client.store(f"{n + 1}:{n + 5}", "+FLAGS", "(\\Seen work)")
                client.store("1", "+FLAGS", "(\\Deleted)")
                client.expunge()
        finally:
            over.set()

    thread = threading.Thread(target=work)
    thread.start()
    checked = 0
    while not over.is_set() or not checked:
        found = server.maildrop("check", user.name, "--json")
        assert found.stdout == "[]\n", found.stdout + found.stderr
        checked += 1
    thread.join()
    client.logout()


@USERS
def test_a_repair_leaves_sessions_open_and_right(server: Server, user: User) -> None:
    deliver(server, user, *(message(f"letter-{n}") for n in range(10)))
    client = imap(server, user)
    client.select()
    client.fetch("1:*", "(ENVELOPE)")
    control = server.maildir(user)
    if user.kind == "mbox":
        control = server.state / "mailboxes" / user.name / "INBOX"
    cache = control / "maildrop.cache"
    octets = bytearray(cache.read_bytes())
    octets[-40] ^= 1
    cache.write_bytes(octets)
    found = server.maildrop("check", "--json")
    assert found.returncode == 65
    (finding,) = json.loads(found.stdout)
    assert finding["code"] == "cache-record-damaged"
    assert finding["user"] == user.name
    repaired = server.maildrop("check", user.name, "--repair")
    assert repaired.returncode == 0, repaired.stdout
    assert "nothing to do" in server.maildrop("check", "--repair").stdout
    subjects = client.fetch("1:*", "(ENVELOPE)")[1]
    told = [repr(subject) for subject in subjects[-10:]]
    assert [n for n in range(10) if f"letter-{n}" not in told[n]] == []
    client.logout()

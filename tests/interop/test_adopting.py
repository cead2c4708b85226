"""Mail that another server has served, served by maildrop, and by the other one again.

Each test does hundreds of operations on the old server, stops it, adopts a copy of the
mail, and asks both servers for everything that a client can see: nothing may differ.
Then maildrop is worked with, the mail is given back, and both are asked once more: the
old server on what was given back, maildrop on what it had.

Run by ``tests/interop/run``; needs Debian's Dovecot, courier-imap, courier-pop, mutt
and uw-mailutils (which is the library of UW-IMAP), and root.
"""

import imaplib
import json
import poplib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.interop.courier import Courier
from tests.interop.dovecot import Dovecot
from tests.interop.driving import drive
from tests.interop.programs import Programs
from tests.interop.server import PASSWORD, PATIENCE, Server, User

Old = Dovecot | Courier


@dataclass(frozen=True, slots=True)
class Served:
    """A maildrop, for the clients that drive it."""

    server: Server
    user: User

    def imap_client(self) -> imaplib.IMAP4:
        port = self.server.ports["imap"]
        connection = imaplib.IMAP4("127.0.0.1", port, timeout=PATIENCE)
        connection.login(self.user.name, PASSWORD)
        return connection

    def pop3_client(self) -> poplib.POP3:
        port = self.server.ports["pop3"]
        connection = poplib.POP3("127.0.0.1", port, timeout=PATIENCE)
        connection.user(self.user.name)
        connection.pass_(PASSWORD)
        return connection


def chance(seed: int) -> Random:
    """The same choices in every run."""
    return Random(seed)  # noqa: S311 (no secret)


def prove(old: Old, new: Server) -> list[str]:
    """What differs, for a client.

    POP3 numbers live as long as a session.  Courier lists by file name, so messages of
    one second may stand in another order than that of their UIDs.
    """
    password = new.directory / "password"
    password.write_text(f"{PASSWORD}\n")
    ended = new.maildrop(
        "adopt",
        "--prove",
        f"--old=127.0.0.1:{old.imap}",
        f"--old-pop3=127.0.0.1:{old.pop3}",
        f"--new=127.0.0.1:{new.ports['imap']}",
        f"--new-pop3=127.0.0.1:{new.ports['pop3']}",
        "--old-tls=none",
        "--new-tls=none",
        f"--login={old.user}",
        f"--password-file={password}",
        "--sample=100000",
        "--json",
    )
    assert "users: 1, " in ended.stderr, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return [
        " ".join(str(one[key]) for key in ("mailbox", "uid", "what", "old", "new"))
        for one in found
        if not (one["what"].startswith("order of UIDL") and isinstance(old, Courier))
    ]


def run(server: Server, *arguments: str) -> list[dict[str, Any]]:
    """Run the command; what it tells of the user's mailboxes."""
    ended = server.maildrop(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    (account,) = json.loads(ended.stdout)
    mailboxes: list[dict[str, Any]] = account["mailboxes"]
    return mailboxes


def carry(source: Path, target: Path) -> None:
    """Put a copy of a file or directory, owners and times kept, in another's place."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)


@dataclass(frozen=True, slots=True)
class Way:
    """From an old server to maildrop and back.

    Attributes:
        old: The old server; not started.
        new: A maildrop with the same user; not started.
        user: The user.
        places: Of each file or directory, at the old server's and at ours.
        back: What the mail is given back to.
        work: Does some operations on a server.
        show: Called once we have the mail, for what the old server must not show.
    """

    old: Old
    new: Server
    user: User
    places: list[tuple[Path, Path]]
    back: str
    work: Callable[[Old | Served], None]
    show: Callable[[], None] = lambda: None

    def go(self) -> None:
        """The whole way."""
        if self.back != "mbox":
            self.old.start()
            self.work(self.old)
            self.old.stop()
        self.adopt()
        self.show()
        self.compare()
        self.new.start()
        self.work(Served(self.new, self.user))
        self.new.stop()
        kept = [(ours, ours.with_name(f"{ours.name}.kept")) for _, ours in self.places]
        for ours, aside in kept:
            carry(ours, aside)
        self.release()
        for theirs, ours in self.places:
            carry(ours, theirs)
        for ours, aside in kept:
            carry(aside, ours)
        self.compare()
        assert self.new.trouble() == []

    def adopt(self) -> None:
        """Take over a copy of the old server's mail."""
        for theirs, ours in self.places:
            if theirs.exists():
                carry(theirs, ours)
        asked = run(self.new, "adopt", "--all", "--dry-run")
        done = run(self.new, "adopt", "--all")
        for before, after in zip(asked, done, strict=True):
            assert (before.pop("state"), after.pop("state")) == (
                "would be",
                "taken over",
            )
            assert before == after
            assert not after["losses"]
        assert sum(mailbox["messages"] for mailbox in done) > 10
        again = run(self.new, "adopt", "--all")
        assert {mailbox["state"] for mailbox in again} == {"was before"}

    def release(self) -> None:
        """Give our mail back."""
        for given in run(self.new, "release", self.user.name, "--to", self.back):
            assert given["state"] == "written"
            assert not given["losses"]

    def compare(self) -> None:
        """Both servers must tell the same."""
        self.old.start()
        self.new.start()
        try:
            assert "\n".join(prove(self.old, self.new)) == ""
        finally:
            self.new.stop()
            self.old.stop()


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """Stops servers, and takes their directories away, whatever happened."""
    with ExitStack() as stack:
        yield stack


def maildrop(user: User, namespace: str = "/") -> Server:
    server = Server((user,), ports=("imap", "pop3"))
    text = server.file.read_text()
    server.file.write_text(text.replace("[mail]", f'[mail]\nnamespace = "{namespace}"'))
    return server


def test_dovecots_maildir_moves_in_and_out(ending: ExitStack) -> None:
    old = Dovecot("maildir", separator=".")
    user = User("maria", uid=old.uid)
    new = maildrop(user, ".")
    ending.push(old)
    ending.push(new)
    random = chance(1)
    Way(
        old,
        new,
        user,
        [(old.maildir, new.maildir(user))],
        "dovecot",
        lambda server: drive(server, random, 250, separator="."),
    ).go()


def test_dovecots_mbox_files_move_in_and_out(ending: ExitStack) -> None:
    old = Dovecot("mbox")
    user = User("maria", "mbox", uid=old.uid)
    new = maildrop(user)
    ending.push(old)
    ending.push(new)
    random = chance(2)
    Way(
        old,
        new,
        user,
        [
            (old.home / "inbox", new.spool(user)),
            (old.home / "mail", new.home(user) / "mail"),
        ],
        "dovecot",
        lambda server: drive(server, random, 200),
    ).go()


def test_couriers_maildir_moves_in_and_out(ending: ExitStack) -> None:
    old = Courier()
    user = User("maria", uid=old.uid)
    new = maildrop(user, "INBOX.")
    ending.push(old)
    ending.push(new)
    random = chance(3)
    Way(
        old,
        new,
        user,
        [(old.maildir, new.maildir(user))],
        "courier",
        lambda server: drive(server, random, 100, separator=".", prefix="INBOX."),
    ).go()


MESSAGES = b"".join(
    b"From sender@example.org Thu Jan  1 12:34:%02d 2026\n"
    b"From: sender@example.org\nTo: maria@example.org\nSubject: message %d\n"
    b"MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n"
    b"body %d\n\n" % (n, n, n)
    for n in range(40)
)


def test_an_mbox_of_uw_imap_and_mutt_moves_in_and_out(
    ending: ExitStack, programs: Programs
) -> None:
    # Dovecot without an index reads what UW-IMAP left, and so stands in for it.
    old = Dovecot("mbox", more="protocol pop3 {\n  pop3_uidl_format = %08Xv%08Xu\n}")
    user = User("maria", "mbox", uid=old.uid)
    new = maildrop(user)
    ending.push(old)
    ending.push(new)
    mail = old.home / "mail"
    mail.mkdir()
    (old.home / "source").write_bytes(MESSAGES)
    subprocess.run(["chown", "-R", str(old.uid), old.home], check=True)
    random = chance(4)

    def uw(*arguments: str) -> None:
        subprocess.run(
            ["mailutil", *arguments],
            cwd=old.home,
            env={"HOME": str(old.home), "PATH": "/usr/bin:/bin", "USER": "mail"},
            user=old.uid,
            group=old.gid,
            extra_groups=[],
            capture_output=True,
            timeout=PATIENCE,
            check=arguments[0] != "prune",  # it fails where it prunes
        )

    for name in ("box", "mail/Work"):
        uw("create", name)
        uw("append", "source", name)
        uw("prune", name, "SUBJECT 13")
        uw("append", "source", name)
        uw("prune", name, f"SUBJECT {random.randrange(2, 9)}")
        edit(programs, old.home / name)
    (old.home / "box").rename(old.home / "inbox")
    (old.home / "source").unlink()
    assert len(uids(old.home / "inbox")) > 30

    def show() -> None:
        # Mutt adds a field to every message it rewrites, which we hide.
        for path in (old.home / "inbox", mail / "Work"):
            octets = path.read_bytes()
            assert b"\nLines: " in octets
            path.write_bytes(re.sub(rb"\nLines: \d+(?=\n)", b"", octets))

    Way(
        old,
        new,
        user,
        [
            (old.home / "inbox", new.spool(user)),
            (mail, new.home(user) / "mail"),
        ],
        "mbox",
        lambda server: drive(server, random, 100),
        show,
    ).go()
    # The library goes on where we left the numbers.
    box = old.home / "box"
    (old.home / "inbox").rename(box)
    given = uids(box)
    (old.home / "source").write_bytes(MESSAGES)
    subprocess.run(["chown", "-R", str(old.uid), old.home], check=True)
    uw("append", "source", "box")
    after = uids(box)
    assert after[: len(given)] == given
    assert len(after) == len(given) + 40
    assert after == sorted(set(after))


def edit(programs: Programs, path: Path) -> None:
    """Flag, delete and read some messages with mutt."""
    keys = (
        "<tag-pattern>~s 'message 2'<enter><tag-prefix><set-flag>!"
        "<untag-pattern>~A<enter><tag-pattern>~s 'message 3'<enter><tag-prefix>"
        "<clear-flag>N<delete-pattern>~s 'message 31'<enter><sync-mailbox><quit>"
    )
    settings = programs.file(
        "muttrc",
        f'set mbox_type=mbox quit=yes delete=yes move=no\npush "{keys}"\n',
    )
    programs.in_terminal("mutt", "-n", "-F", settings, "-f", path)


def uids(path: Path) -> list[int]:
    """The UIDs in an mbox, in the order of the file."""
    return [
        int(uid)
        for uid in re.findall(rb"^X-UID: (\d+)", path.read_bytes(), re.MULTILINE)
    ]

"""mbsync keeps a Maildir and the server in step, both ways."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.interop.clients import (
    assert_whole,
    awkward,
    deliver,
    imap,
    imap_messages,
    message,
    uids,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)

_CONFIGURATION: Final = """
IMAPAccount here
Host localhost
Port {port}
User {user}
Pass "{password}"
{tls}
CertificateFile {certificate}
Timeout 20

IMAPStore far
Account here

MaildirStore near
SubFolders Verbatim
Path {home}/near/
Inbox {home}/near/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
"""


class Copy:
    """A copy of a user's mail, kept by mbsync."""

    def __init__(
        self, server: Server, programs: Programs, user: User, *, tls: bool = True
    ) -> None:
        self._programs = programs
        self.near = programs.home / "near"
        self.near.mkdir()
        self._rc = programs.file(
            "mbsyncrc",
            _CONFIGURATION.format(
                port=server.ports["imaps" if tls else "imap"],
                user=user.name,
                password=PASSWORD,
                tls="SSLType " + ("IMAPS" if tls else "STARTTLS"),
                certificate=server.certificate,
                home=programs.home,
            ),
        )

    def sync(self) -> None:
        self._programs.run("mbsync", "-c", self._rc, "all")

    def files(self, mailbox: str = "INBOX") -> list[Path]:
        """The files of a mailbox, by the UID that mbsync has put in their names."""
        folder = self.near / mailbox
        found = [path for name in ("new", "cur") for path in (folder / name).iterdir()]
        return sorted(found, key=_uid)

    def messages(self, mailbox: str = "INBOX") -> list[bytes]:
        found = []
        for path in self.files(mailbox):
            octets = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            # What it has uploaded itself, it marks in the header.
            found.append(re.sub(rb"X-TUID: .*\r\n", b"", octets))
        return found


def _uid(path: Path) -> int:
    found = re.search(r",U=(\d+)", path.name)
    assert found
    return int(found[1])


@USERS
@pytest.mark.parametrize("tls", [True, False], ids=["imaps", "starttls"])
def test_a_mailbox_is_copied_and_kept_in_step(
    server: Server, programs: Programs, user: User, tls: bool
) -> None:
    client = imap(server, user)
    client.select()
    client.uid("STORE", "1:*", "+FLAGS.SILENT", "\\Deleted")
    client.close()
    sent = [message(f"number-{number}") for number in range(20)]
    deliver(server, user, *sent)
    copy = Copy(server, programs, user, tls=tls)

    copy.sync()
    assert_whole(copy.messages(), sent)

    # What is done near is seen far: flags, a deletion, a new message.
    first, second, third, *_ = copy.files()
    first.rename(copy.near / "INBOX" / "cur" / _flagged(first, "FS"))
    second.unlink()
    new = message("from-near")
    (copy.near / "INBOX" / "cur" / "1.near.host:2,S").write_bytes(
        new.replace(b"\r\n", b"\n")
    )
    copy.sync()
    have = imap_messages(server, user)
    assert_whole(have[:-1], sent[:1] + sent[2:])
    assert re.sub(rb"X-TUID: .*\r\n", b"", have[-1]) == new
    client.select()
    [flags] = client.fetch("1", "(FLAGS)")[1]
    assert isinstance(flags, bytes)
    assert set(re.findall(rb"\\\w+", flags)) >= {b"\\Seen", b"\\Flagged"}

    # What is done far is seen near.
    client.store("2", "+FLAGS", "\\Answered \\Seen")
    client.store("3:5", "+FLAGS.SILENT", "\\Deleted")
    client.expunge()
    deliver(server, user, message("from-far"))
    copy.sync()
    assert third.name.partition(":")[0] in {
        path.name.partition(":")[0] for path in copy.files()
    }
    [answered] = [p for p in copy.files() if _uid(p) == _uid(third)]
    assert set(answered.name.partition(":2,")[2]) == set("RS")
    assert len(copy.messages()) == len(imap_messages(server, user)) == 18

    # In step: another run changes nothing on either side.
    before = uids(server, user), copy.files()
    copy.sync()
    assert (uids(server, user), copy.files()) == before
    client.logout()


def _flagged(path: Path, flags: str) -> str:
    return f"{path.name.partition(':')[0]}:2,{flags}"


@USERS
def test_mailboxes_are_made_and_removed_on_both_sides(
    server: Server, programs: Programs, user: User
) -> None:
    client = imap(server, user)
    client.create("Work/2026")
    sent = message("in-work")
    assert client.append("Work/2026", "(\\Flagged)", "", sent)[0] == "OK"
    copy = Copy(server, programs, user)
    copy.sync()
    assert copy.messages("Work/2026") == [sent]
    assert (copy.near / "Drafts" / "cur").is_dir()

    for name in ("cur", "new", "tmp"):
        (copy.near / "Play" / name).mkdir(parents=True)
    (copy.near / "Play" / "new" / "1.near.host").write_bytes(b"Subject: game\n\nx\n")
    client.delete("Work/2026")
    copy.sync()
    assert imap_messages(server, user, "Play")
    copy.sync()
    listed = [line for line in client.list()[1] if isinstance(line, bytes)]
    assert any(line.endswith((b" Play", b'"Play"')) for line in listed)
    client.logout()


@USERS
def test_what_is_hard_to_keep_is_copied_whole(user: User, programs: Programs) -> None:
    with Server() as server:
        # It passes over messages whose header does not end.
        sent = [octets for octets in awkward() if b"\r\n\r\n" in octets]
        deliver(server, user, *sent)
        copy = Copy(server, programs, user)
        copy.sync()
        # mbsync itself takes every CR for a part of a line end.
        assert [octets.replace(b"\r", b"") for octets in copy.messages()] == [
            octets.replace(b"\r", b"") for octets in imap_messages(server, user)
        ]

"""Mail comes out by every way there is, octet for octet."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.clients import (
    assert_whole,
    awkward,
    deliver,
    imap_messages,
    message,
    pop3_messages,
)
from tests.interop.programs import Programs
from tests.interop.server import MAILDIR, MBOX, PASSWORD, Server, User

USERS = pytest.mark.parametrize("user", [MAILDIR, MBOX], ids=lambda user: user.kind)
PLAIN = [
    message("first"),
    message("dots", b".\r\n..\r\n...\r\n"),
    message("from-lines", b"From me\r\n>From you\r\n\r\nFrom them\r\n"),
    message("eight-bit", bytes(range(128, 256)) + b"\r\n"),
    message("empty", b""),
    message("large", b"%070d\r\n" % 7 * 10_000),
]


@pytest.fixture(scope="module")
def filled() -> Iterator[Server]:
    with Server() as server:
        for user in (MAILDIR, MBOX):
            deliver(server, user, *PLAIN)
        yield server
        assert server.trouble() == []


@USERS
@pytest.mark.parametrize("port", ["pop3", "stls", "pop3s"])
def test_poplib(filled: Server, user: User, port: str) -> None:
    assert_whole(pop3_messages(filled, user, port), PLAIN)


@USERS
@pytest.mark.parametrize("port", ["imap", "starttls", "imaps"])
def test_imaplib(filled: Server, user: User, port: str) -> None:
    assert_whole(imap_messages(filled, user, port=port), PLAIN)


@USERS
@pytest.mark.parametrize("scheme", ["pop3", "pop3s", "imap", "imaps"])
@pytest.mark.parametrize("tls", ["--ssl", "--ssl-reqd"])
def test_curl(
    filled: Server, programs: Programs, user: User, scheme: str, tls: str
) -> None:
    if scheme.startswith("pop3"):
        names = [f"/{number + 1}" for number in range(len(PLAIN))]
    else:
        names = [f"/INBOX;MAILINDEX={number + 1}" for number in range(len(PLAIN))]
    arguments = ["--silent", "--show-error", "--cacert", str(filled.certificate)]
    if tls == "--ssl-reqd":
        arguments.append(tls)
    for name in names:
        arguments += [
            *("--output", f"message{names.index(name)}"),
            f"{scheme}://localhost:{filled.ports[scheme]}{name}",
        ]
    programs.run("curl", "--user", f"{user.name}:{PASSWORD}", *arguments)
    found = [(programs.home / f"message{at}").read_bytes() for at in range(len(names))]
    assert_whole(found, PLAIN)


@USERS
def test_curl_lists_and_searches(
    filled: Server, programs: Programs, user: User
) -> None:
    url = f"imaps://localhost:{filled.ports['imaps']}"
    common = ("--silent", "--show-error", "--cacert", filled.certificate)
    login = ("--user", f"{user.name}:{PASSWORD}")
    listed = programs.run("curl", *common, *login, f"{url}/")
    assert re.search(rb'^\* LIST \([^)]*\) "." "?INBOX"?\r\n', listed, re.MULTILINE)
    search = f"{url}/INBOX?SUBJECT%20dots"
    assert programs.run("curl", *common, *login, search) == b"* SEARCH 2\r\n"


def test_the_files_of_a_maildir(filled: Server) -> None:
    """https://cr.yp.to/proto/maildir.html: one file a message, LF line ends."""
    folder = filled.maildir(MAILDIR)
    files = [path for name in ("new", "cur") for path in (folder / name).iterdir()]
    stored = [path.read_bytes().replace(b"\n", b"\r\n") for path in sorted(files)]
    # Names begin with the time of delivery, which may be the same for several.
    assert_whole(sorted(stored, key=_subject), sorted(PLAIN, key=_subject))
    assert list((folder / "tmp").iterdir()) == []


def _subject(octets: bytes) -> bytes:
    found = re.search(rb"^Subject: (.*)\r$", octets, re.MULTILINE)
    assert found
    return found[1]


def test_formail_reads_the_spool(filled: Server, programs: Programs) -> None:
    """One message after the other; lines that begin with ``From`` got a ``>``."""
    script = programs.file("store", '#!/bin/sh\ncat > "message$FILENO"\n', 0o700)
    spool = filled.spool(MBOX).read_bytes()
    programs.run("formail", "-s", script, given=spool)
    stored = []
    for at in range(len(PLAIN)):
        octets = (programs.home / f"message{at:03}").read_bytes()
        stored.append(_from_mbox(octets))
    assert not (programs.home / f"message{len(PLAIN):03}").exists()
    assert_whole(stored, PLAIN)


def _from_mbox(octets: bytes) -> bytes:
    """A message of an mbox without what belongs to the file."""
    octets = re.sub(rb"\A>?From .*\n", b"", octets)
    octets = re.sub(
        rb"^(?:X-)?(?:Status|Keywords):.*\n", b"", octets, count=3, flags=re.MULTILINE
    )
    octets = re.sub(rb"^>(>*From )", rb"\1", octets, flags=re.MULTILINE)
    assert octets.endswith(b"\n\n")
    return octets[:-1].replace(b"\n", b"\r\n")


@USERS
@pytest.mark.parametrize("scheme", ["imap", "imaps", "pop", "pops"])
@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt(
    filled: Server, programs: Programs, user: User, scheme: str, program: str
) -> None:
    """Each message goes through a pipe to a file of its own; STARTTLS without "s"."""
    port = filled.ports[scheme.replace("pop", "pop3")]
    url = f"{scheme}://{user.name}@localhost:{port}/"
    assert_whole(_by_mutt(program, programs, filled, url), PLAIN)


def test_mutt_reads_the_maildir(filled: Server, programs: Programs) -> None:
    folder = str(filled.maildir(MAILDIR))
    stored = _by_mutt("mutt", programs, filled, folder, "unset mark_old")
    assert_whole(sorted(stored, key=_subject), sorted(PLAIN, key=_subject))


def test_mutt_reads_the_spool(filled: Server, programs: Programs) -> None:
    spool = str(filled.spool(MBOX))
    stored = _by_mutt("mutt", programs, filled, spool, "unset mark_old")
    assert_whole(
        [_from_mbox(each.replace(b"\r\n", b"\n") + b"\n") for each in stored], PLAIN
    )


def _by_mutt(
    program: str, programs: Programs, server: Server, folder: str, *more: str
) -> list[bytes]:
    store = programs.file(
        "store",
        '#!/bin/sh\nn=$(ls "$HOME/out" | wc -l)\n'
        'cat > "$HOME/out/$(printf %03d "$n")"\n',
        0o700,
    )
    out = programs.home / "out"
    out.mkdir()
    rc = programs.file(
        "muttrc",
        "\n".join(
            [
                f'set imap_pass="{PASSWORD}" pop_pass="{PASSWORD}"',
                f"set certificate_file={server.certificate}",
                f"set ssl_ca_certificates_file={server.certificate}",
                "set ssl_starttls=yes ssl_force_tls=yes",
                "set sort=mailbox-order read_only=yes quit=yes",
                'set pipe_decode=no pipe_split=yes pipe_sep="" wait_key=no',
                f'set imap_check_subscribed=no folder={programs.home} record=""',
                *more,
                f'push "<tag-pattern>.<enter><tag-prefix><pipe-message>{store}<enter>'
                '<quit>"',
            ]
        )
        + "\n",
    )
    # Mutt keeps LF line ends in its own files.
    painted = programs.in_terminal(program, "-n", "-F", rc, "-f", folder)
    files = sorted(Path(out).iterdir())
    assert files, painted[-2000:]
    stored = [path.read_bytes().replace(b"\n", b"\r\n") for path in files]
    # What it hands on has a Status field, whatever it reads from.
    return [
        re.sub(rb"^Status: [RO]+\r\n", b"", each, count=1, flags=re.MULTILINE)
        for each in stored
    ]


@USERS
def test_what_is_hard_to_keep_comes_out_by_all_ways_alike(user: User) -> None:
    with Server() as server:
        sent = awkward()
        deliver(server, user, *sent)
        first = imap_messages(server, user)
        assert_whole(first, sent)
        assert pop3_messages(server, user) == first
        server.stop()
        server.start()
        assert imap_messages(server, user) == first

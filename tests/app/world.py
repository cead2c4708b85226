"""Worlds at random: users, files, mail, and a message that comes; told and done.

In this file:
    World       a configuration with all its files
    Letter      a message that comes
    cases       strategy of worlds and messages
    Fate        what became of a message, or would
    foretold    what would, as ``explain`` says
    done        what did, when it came by SMTP
    foretold_comes    that these are the same, and that explaining changes no file
"""

import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as Directory

from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from maildrop.app.alone import Unwatched, at_once, here
from maildrop.app.config import parse
from maildrop.app.directory import open_users
from maildrop.app.explaining import open_explainer
from maildrop.app.privileges import OwnRights
from maildrop.app.relays import open_routes
from maildrop.app.routes import SRS_KEYS, open_router
from maildrop.app.schema import Configuration
from maildrop.app.stores import Stores
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.agent import Agent
from maildrop.delivery.outbox import SpoolOutbox
from maildrop.delivery.placing import Placing
from maildrop.durable import Content, Disk
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.interfaces import NewMessage
from maildrop.queue.entry import Kind, Waiting
from maildrop.queue.spool import Spool
from maildrop.smtp.server import SMTPServer
from maildrop.smtp.service import Service
from maildrop.smtp.session import Site
from maildrop.smtp.wire.path import path_of

USERS = ("ann", "bob", "carol", "dave@example.net")
FOLDERS = ("Lists", "lists/Work", "Trash", "a.b")
#: Where nothing waits for a disk, if there is such a place.
_SHARED = os.path.join("/dev", "shm")
MEMORY = _SHARED if os.path.isdir(_SHARED) else None
#: What a message is recognized by.
MARK = b"This is the one."


@dataclass(frozen=True)
class User:
    """A user, and the mail that is there.

    Attributes:
        name: The name.
        extra: The last field of the line.
        folders: The mailboxes besides INBOX; None for no mail at all yet.
        kept: Octets of the messages there.
        forward: The ``.forward``; None for none.
        mode: Its mode.
        kind: Of the store.
    """

    name: str
    extra: str
    folders: tuple[str, ...] | None
    kept: tuple[int, ...]
    forward: str | None
    mode: int
    kind: str


@dataclass(frozen=True)
class World:
    """A configuration with all its files."""

    users: tuple[User, ...]
    aliases: str
    virtual: str
    included: str
    separator: str
    postmaster: str
    full: str
    grace: int
    srs: bool
    smarthost: str


@dataclass(frozen=True)
class Letter:
    """A message that comes.

    Attributes:
        sender: The reverse path.
        recipient: The address.
        octets: The message.
        announced: Its size, as the client says.
        outward: The client has logged in.
    """

    sender: str
    recipient: str
    octets: bytes
    announced: int
    outward: bool


@dataclass(frozen=True)
class Fate:
    """What became of a message, or would.

    Attributes:
        answer: To RCPT.
        taken: To the message; the id left away.
        stored: User and folder of each copy.
        waiting: What waits in the queue.
    """

    answer: str
    taken: str
    stored: tuple[tuple[str, str], ...]
    waiting: tuple[tuple[object, ...], ...]


mostly = st.integers(0, 9).map(bool)
locals_ = st.sampled_from(
    [
        *("ann", "bob", "carol", "dave", "nobody", "team", "all", "loop", "x"),
        *("postmaster", "Ann", "ann+Lists", "bob+lists", "carol+trash", "ann-Lists"),
        *("bob+lists/work", "ann+a.b", "ann+../x", "team+x", "bob+", "ann+inbox"),
    ]
)
domains = st.sampled_from(
    ["example.org", "EXAMPLE.net", "mail.example.org", "virtual.example"]
)
addresses = st.one_of(
    st.builds("{}@{}".format, locals_, domains),
    st.builds("{}@elsewhere.example".format, locals_),
    st.sampled_from(["x@a.routed.example", "x@lmtp.example"]),
)
things = st.sampled_from(
    [
        "/dev/null",
        "|/bin/true",
        '"|/bin/cat > /dev/null"',
        "/srv/box",
        "/srv/d/",
    ]
)
values = st.one_of(
    locals_,
    locals_,
    locals_.map("\\{}".format),
    addresses,
    things,
    st.just(":include:INCLUDED"),
    st.sampled_from(["error:no", "", '"quoted name"', "a b"]),
)
lists = st.lists(values, min_size=1, max_size=4).map(", ".join)
names = st.sampled_from(
    [
        *("team", "all", "loop", "x", "ann", "root", "owner-team", "team+x"),
        *("postmaster", "carol"),
    ]
)
keys = st.one_of(
    addresses, st.sampled_from(["@example.net", "@virtual.example", "virtual.example"])
)
users = st.builds(
    User,
    name=st.just(""),
    extra=st.sampled_from(
        ["", "", "quota=1000", "quota=3000", "quota_messages=1", "quota=4000 x=y"]
    ),
    folders=st.none()
    | st.lists(st.sampled_from(FOLDERS), unique=True, max_size=3).map(tuple),
    kept=st.lists(st.sampled_from([100, 900, 1500]), max_size=2).map(tuple),
    forward=st.none() | st.none() | lists,
    mode=st.sampled_from([0o644, 0o644, 0o666]),
    kind=st.sampled_from(["maildir", "maildir", "mbox"]),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds."""
    aliases = draw(st.dictionaries(names, lists, max_size=5))
    virtual = draw(
        st.dictionaries(
            keys,
            st.lists(addresses | locals_, min_size=1, max_size=2).map(", ".join),
            max_size=3,
        )
    )
    chosen = draw(st.sets(st.sampled_from(USERS), min_size=2))
    return World(
        tuple(dataclasses.replace(draw(users), name=name) for name in sorted(chosen)),
        "".join(f"{name}: {value}\n" for name, value in aliases.items()),
        "".join(f"{key} {value}\n" for key, value in virtual.items()),
        draw(st.lists(values, max_size=3).map("\n".join)),
        draw(st.sampled_from(["+", "+-"])),
        draw(st.sampled_from(["", "ann", "nobody"])),
        draw(st.sampled_from(["reject", "defer"])),
        draw(st.sampled_from([0, 2000])),
        draw(st.booleans()),
        draw(st.sampled_from(["", "smart.example"])),
    )


@st.composite
def letters(draw: st.DrawFn, world: World) -> Letter:
    """Messages that mostly have to do with a world."""
    recipient = draw(st.sampled_from(_known(world)) if draw(mostly) else addresses)
    fields = b"Subject: x\r\n"
    if not draw(mostly):
        header = [b"", b"Received: x\r\n" * 101, b"no header\r\n"]
        fields = draw(st.sampled_from(header))
    if not draw(mostly):
        before = draw(addresses | st.just(recipient))
        fields += f"Delivered-To: {before}\r\n".encode()
    body = MARK + b"\r\n" + b"x\r\n" * draw(st.sampled_from([0, 200, 900]))
    return Letter(
        draw(st.sampled_from(["", "ann@example.org", "x@elsewhere.example"])),
        recipient,
        fields + b"\r\n" + body,
        draw(st.sampled_from([0, 0, 500, 5000])),
        draw(st.booleans()),
    )


def _known(world: World) -> list[str]:
    """Addresses that mean something there."""
    names = [line.partition(":")[0] for line in world.aliases.splitlines()]
    for user in world.users:
        names.append(user.name)
        details = [*(user.folders or ()), "none", "lists"]
        if "@" not in user.name:
            names += [f"{user.name}{world.separator[-1]}{each}" for each in details]
    listed = [line.partition(" ")[0] for line in world.virtual.splitlines()]
    names += [each if "@" in each else f"x@{each}" for each in listed if each[0] != "@"]
    return [each if "@" in each else f"{each}@example.org" for each in names]


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, Letter]:
    """A world, and a message that comes."""
    world = draw(worlds())
    return world, draw(letters(world))


def build(world: World, directory: Directory) -> Configuration:
    """Make all files of a world."""
    lines = []
    for user in world.users:
        home = directory / "home" / user.name
        home.mkdir(parents=True)
        mail = f"maildir:{home}/Maildir"
        if user.kind == "mbox":
            mail = f"mbox:{home}/inbox:{home}/mail"
        lines.append(f"{user.name}:x:::g:{home}::mail={mail} {user.extra}\n")
        if user.forward is not None:
            (home / ".forward").write_text(_placed(user.forward, directory) + "\n")
            (home / ".forward").chmod(user.mode)
    (directory / "passwd").write_text("".join(lines))
    (directory / "aliases").write_text(_placed(world.aliases, directory))
    (directory / "virtual").write_text(world.virtual)
    (directory / "included").write_text(world.included + "\n")
    (directory / "state" / "scratch").mkdir(parents=True)
    (directory / "state" / SRS_KEYS).write_bytes(b"0123456789abcdef\n")
    reading = parse(
        f"""
        hostname = "mail.example.org"
        state = "{directory}/state"
        [users]
        passwd = "{directory}/passwd"
        [mail]
        domains = ["example.org", "example.net"]
        separator = "{world.separator}"
        postmaster = "{world.postmaster}"
        [quota]
        full = "{world.full}"
        grace = {world.grace}
        [delivery]
        aliases = ["{directory}/aliases"]
        virtual = ["{directory}/virtual"]
        srs = {str(world.srs).lower()}
        [relay]
        smarthost = "{world.smarthost}"
        [[route]]
        domain = ".routed.example"
        host = "192.0.2.9"
        [[route]]
        domain = "lmtp.example"
        host = "localhost"
        protocol = "lmtp"
        port = 24
        """,
        f"{directory}/maildrop.toml",
    )
    assert not [each for each in reading.problems if each.fatal], reading.problems
    return reading.configuration


def _placed(text: str, directory: Directory) -> str:
    return text.replace("INCLUDED", str(directory / "included"))


def _stores(configuration: Configuration) -> Stores:
    return Stores(configuration.state, "/nowhere", OwnRights(os.getuid()))


def fill(world: World, configuration: Configuration) -> None:
    """Put the mail there that is there before."""
    stores = _stores(configuration)
    for user, account in zip(world.users, accounts(world, configuration), strict=True):
        if user.folders is None:
            continue
        store = stores(dataclasses.replace(account, quota=None))
        for folder in user.folders:
            with contextlib.suppress(Exception):
                store.create(folder)
        inbox = store.open("INBOX")
        for octets in user.kept:
            message = NewMessage(Content.of(b"Subject: x\r\n\r\n".ljust(octets, b"x")))
            inbox.publish(inbox.stage([message]), None)
        inbox.close()
        store.close()


def accounts(world: World, configuration: Configuration) -> list[Account]:
    """The accounts of the users."""
    found = open_users(configuration, Clock())
    listed = [found.lookup(user.name) for user in world.users]
    return [user.account for user in listed if user is not None]


def foretold(configuration: Configuration, letter: Letter) -> Fate:
    """What would become of a message."""
    explainer = open_explainer(configuration, OwnRights(os.getuid()))
    found = at_once(
        explainer.explain(
            path_of(letter.recipient),
            path_of(letter.sender) if letter.sender else None,
            Content.of(letter.octets),
            octets=letter.announced,
            outward=letter.outward,
        )
    )
    return Fate(
        found.answer,
        found.taken,
        tuple(sorted((each.user, each.folder) for each in found.stored)),
        _said(found.waiting),
    )


def _said(waiting: list[Waiting]) -> tuple[tuple[object, ...], ...]:
    return tuple(
        (
            *(each.number, each.address, each.relay, each.destination, each.sender),
            *(each.order, each.kind, each.original, each.parent),
            # Why one waits is not written down before it was tried from the queue.
            None if each.kind is Kind.WAITING else each.status,
        )
        for each in waiting
    )


def done(world: World, configuration: Configuration, letter: Letter) -> Fate:
    """What becomes of a message that comes by SMTP."""
    rights, clock = OwnRights(os.getuid()), Clock()
    users_ = open_users(configuration, clock)
    router = open_router(configuration, users_, clock, rights, now=time.time)
    spool = Spool(
        f"{configuration.state}/queue",
        Disk(),
        time.time,
        f"{configuration.state}/scratch",
    )
    spool.prepare()
    post = Post(_stores(configuration), here, rights.as_owner, Unwatched())
    defer_full = configuration.quota.full == "defer"
    agent = Agent(
        post,
        SpoolOutbox(spool, here, lambda _: None),
        Placing(router.is_local, open_routes(configuration, rights).toward),
        defer_full=defer_full,
    )
    site = Site(
        Service.SMTP,
        configuration.hostname,
        router,
        agent,
        TraceIds(time.time, os.urandom),
        time.time,
        f"{configuration.state}/scratch",
        defer_full=defer_full,
    )
    answer, taken = _talked(SMTPServer(site, clock), letter)
    at_once(post.close())
    return Fate(
        answer,
        taken,
        tuple(sorted(_copies(world, configuration))),
        tuple(
            one
            for listed in spool.list()
            if (entry := spool.look(listed.id)) is not None
            for one in _said(entry.recipients)
        ),
    )


def _talked(server: SMTPServer, letter: Letter) -> tuple[str, str]:
    transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1))

    def say(octets: bytes) -> str:
        transport.clear()
        server.dataReceived(octets)
        return str(transport.value().decode().rstrip("\r\n"))

    server.makeConnection(transport)
    say(b"EHLO client\r\n")
    if letter.outward:
        server.session.account = Account("somebody", "/", "")
    size = f" SIZE={letter.announced}" if letter.announced else ""
    assert say(f"MAIL FROM:<{letter.sender}>{size}\r\n".encode()).startswith("250")
    answer = say(f"RCPT TO:<{letter.recipient}>\r\n".encode())
    if not answer.startswith("250"):
        return answer, ""
    assert say(b"DATA\r\n").startswith("354")
    taken = say(letter.octets + b".\r\n")
    server.connectionLost()
    return answer, taken.partition(", id ")[0]


def _copies(world: World, configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Where the message is now."""
    stores = _stores(configuration)
    for account in accounts(world, configuration):
        if not stores.has_mail(account):
            continue
        store = stores(account)
        for entry in store.entries():
            if not entry.selectable:
                continue
            mailbox = store.open(entry.name)
            for uid in mailbox.table.uids:
                if MARK in mailbox.read(uid):
                    yield account.name, entry.name
            mailbox.close()
        store.close()


def foretold_comes(world: World, letter: Letter) -> None:
    """What is foretold is what happens, and explaining changes no file."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        directory = Directory(name)
        configuration = build(world, directory)
        fill(world, configuration)
        before = _tree(directory)
        told = foretold(configuration, letter)
        assert _tree(directory) == before
        assert done(world, configuration, letter) == told


def _tree(directory: Directory) -> dict[str, bytes]:
    """All files, and what is in them, but for sums that are remembered."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in directory.rglob("*")
        if not path.name.startswith("maildrop.quota")
    }

"""Two processes of ours and a stranger on one Maildir, in any order of doings."""

import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.durable import Content
from maildrop.mailbox.flags import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    SEEN,
    FlagChange,
    Operation,
)
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.view import View
from maildrop.storage.maildir.mailbox import MaildirMailbox
from tests.crash.stopping import QuickDisk
from tests.storage.maildir.conftest import Clock, OpenStore
from tests.ticking import ticked

LETTERS = {"D": DRAFT, "F": FLAGGED, "R": ANSWERED, "S": SEEN, "T": DELETED}


class Client:
    """A session that believes what it is told."""

    def __init__(self, mailbox: MaildirMailbox) -> None:
        self.mailbox = mailbox
        self.view = View(mailbox.table)
        self.numbers = list(mailbox.table.uids)

    def listen(self) -> None:
        told = self.view.updates(expunges=True)
        for number in told.expunged:
            del self.numbers[number - 1]
        if told.exists is not None:
            self.numbers += self.mailbox.table.uids[len(self.numbers) : told.exists]
        assert self.numbers == list(self.mailbox.table.uids)


class World:
    """The Maildir, who uses it, and what should be in it."""

    def __init__(self, root: Path, open_store: OpenStore, clock: Clock) -> None:
        self.root = root
        self.open_store = open_store
        self.clock = clock
        self.mailboxes = [self.opened(), self.opened()]
        self.clients = [Client(mailbox) for mailbox in self.mailboxes]
        self.bodies: dict[bytes, int] = {}  # what is there, with its flags
        self.named: dict[tuple[int, int], bytes] = {}  # what each UID was seen to be
        self.made = 0

    def opened(self) -> MaildirMailbox:
        return self.open_store(QuickDisk()).open("INBOX")

    def body(self) -> bytes:
        self.made += 1
        return b"Subject: %d\r\n\r\n%d\r\n" % (self.made, self.made)

    def files(self) -> list[Path]:
        both = [*(self.root / "new").iterdir(), *(self.root / "cur").iterdir()]
        return sorted(both, key=lambda path: path.name)

    # -- ours

    def add(self, who: int, number: int) -> None:
        flags = SEEN if number % 2 else 0
        new = [NewMessage(Content.of(self.body()), flags=flags)]
        mailbox = self.mailboxes[who]
        mailbox.publish(mailbox.stage(new), None)
        self.bodies[bytes(new[0].content.octets())] = flags

    def chosen(self, who: int, number: int) -> tuple[list[int], list[bytes]]:
        """A message this process knows of, if it is still there."""
        mailbox = self.mailboxes[who]
        if not len(mailbox.table):
            return [], []
        uid = mailbox.table.uids[number % len(mailbox.table)]
        body = mailbox.read_many([uid])[0]
        return ([uid], [body]) if body is not None else ([], [])

    def flag(self, who: int, number: int) -> None:
        uids, bodies = self.chosen(who, number)
        change = FlagChange(Operation.REPLACE, number % 32)
        self.mailboxes[who].change_flags(uids, change, None)
        for body in bodies:
            self.bodies[body] = number % 32

    def expunge(self, who: int, number: int) -> None:
        uids, bodies = self.chosen(who, number)
        self.mailboxes[who].expunge(uids, None)
        for body in bodies:
            del self.bodies[body]

    def claim(self, who: int, _: int) -> None:
        self.mailboxes[who].claim_recent()

    def fold(self, who: int, _: int) -> None:
        self.mailboxes[who].ledger.compact()

    def refresh(self, who: int, _: int) -> None:
        self.mailboxes[who].refresh()
        self.clients[who].listen()

    def reopen(self, who: int, number: int) -> None:
        if number % 2:
            self.mailboxes[who].close()
        self.mailboxes[who] = self.opened()
        self.clients[who] = Client(self.mailboxes[who])

    # -- the stranger's

    def deliver(self, _: int, number: int) -> None:
        body = self.body()
        name = f"17000000{number:02}.{self.made}_0.elsewhere"
        (self.root / "new" / name).write_bytes(body.replace(b"\r\n", b"\n"))
        self.tick()
        self.bodies[body] = 0

    def tick(self) -> None:
        """What is settled by our clock is so by that of the file system."""
        ticked(self.root / "new", self.root / "cur")

    def file(self, number: int) -> tuple[Path, bytes] | None:
        files = self.files()
        if not files:
            return None
        path = files[number % len(files)]
        return path, path.read_bytes().replace(b"\n", b"\r\n")

    def rename(self, _: int, number: int) -> None:
        found = self.file(number)
        if found is None:
            return
        path, body = found
        letters = [letter for n, letter in enumerate("DFRST") if number >> n & 1]
        base = path.name.partition(":")[0]
        path.rename(self.root / "cur" / f"{base}:2,{''.join(letters)}")
        self.tick()
        self.bodies[body] = sum(LETTERS[letter] for letter in letters)

    def back(self, _: int, number: int) -> None:
        found = self.file(number)
        if found is None:
            return
        path, body = found
        path.rename(self.root / "new" / path.name.partition(":")[0])
        self.tick()
        self.bodies[body] = 0

    def remove(self, _: int, number: int) -> None:
        found = self.file(number)
        if found is None:
            return
        path, body = found
        path.unlink()
        self.tick()
        del self.bodies[body]

    # -- what must be so

    def check(self) -> None:
        # Twice a tick: everything has been seen, and has settled.
        for _ in range(2):
            self.clock.advance(10.0)
            for mailbox, client in zip(self.mailboxes, self.clients, strict=True):
                mailbox.refresh()
                client.listen()
        found = [self.contents(mailbox) for mailbox in self.mailboxes]
        assert found[0] == found[1]
        assert found[0] == self.bodies
        assert len(self.files()) == len(self.bodies)

    def contents(self, mailbox: MaildirMailbox) -> dict[bytes, int]:
        table = mailbox.table
        bodies = mailbox.read_many(list(table.uids))
        assert None not in bodies
        for uid, body in zip(table.uids, bodies, strict=True):
            assert self.named.setdefault((table.uid_validity, uid), body or b"") == body
        flags = (bits & 31 for bits in table.flags)
        return {body or b"": bits for body, bits in zip(bodies, flags, strict=True)}

    def close(self) -> None:
        for mailbox in self.mailboxes:
            mailbox.close()


DOINGS = {
    "add": World.add,
    "flag": World.flag,
    "expunge": World.expunge,
    "claim": World.claim,
    "fold": World.fold,
    "refresh": World.refresh,
    "reopen": World.reopen,
    "deliver": World.deliver,
    "rename": World.rename,
    "back": World.back,
    "remove": World.remove,
}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*DOINGS, "check"]),
            st.integers(0, 1),
            st.integers(0, 40),
        ),
        max_size=25,
    )
)
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nobody_loses_doubles_or_renumbers_a_message(
    root: Path,
    open_store: OpenStore,
    clock: Clock,
    steps: list[tuple[str, int, int]],
) -> None:
    shutil.rmtree(root, ignore_errors=True)
    world = World(root, open_store, clock)
    try:
        for name, who, number in steps:
            if name == "check":
                world.check()
            else:
                DOINGS[name](world, who, number)
        world.check()
    finally:
        world.close()

"""What clients were told adds up to what there is, whatever they did (RFC 3501 5.2)."""

import re

from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.mailbox.flags import DELETED, FLAGGED, SEEN
from maildrop.mailbox.table import MessageTable
from tests.imap.conftest import MESSAGE, Client, Served

FETCH = re.compile(rb"\* (\d+) FETCH \((?:UID (\d+) )?FLAGS \(([^)]*)\)\)")
BEGUN = re.compile(rb"\* (\d+) FETCH \(.*\{\d+\}")
ENDED = re.compile(rb".* FLAGS \(([^)]*)\)\)")
COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT)")


class Follower:
    """A client that believes what it is told, and nothing else."""

    def __init__(self, client: Client, command: bytes) -> None:
        self.client = client
        self.flags: list[bytes | None] = []
        self.uids: list[int | None] = []
        self.idle = False
        self.begun = 0
        self.hear(client.say(b"s %b INBOX" % command))

    def say(self, line: bytes) -> None:
        said = self.client.say(b"a " + line)
        if line.split(b" ")[0] in {b"FETCH", b"STORE", b"SEARCH"}:
            assert not any(heard.endswith(b" EXPUNGE") for heard in said)
        assert not said[-1].startswith(b"a BAD") or b"not that many" in said[-1]
        self.hear(said)

    def wait(self) -> None:
        """Begin IDLE, or end it."""
        self.hear(self.client.say(b"DONE" if self.idle else b"i IDLE"))
        self.idle = not self.idle

    def hear(self, lines: list[bytes]) -> None:
        for line in lines:
            if match := COUNT.fullmatch(line):
                self._count(int(match[1]), match[2])
            elif match := BEGUN.fullmatch(line):
                self.begun = int(match[1]) - 1
            elif line.startswith(b" FLAGS") and (match := ENDED.fullmatch(line)):
                self.flags[self.begun] = _lasting(match[1])
            elif match := FETCH.fullmatch(line):
                at = int(match[1]) - 1
                self.flags[at] = _lasting(match[3])
                if match[2]:
                    uid = int(match[2])
                    assert self.uids[at] in {None, uid}
                    self.uids[at] = uid

    def _count(self, number: int, what: bytes) -> None:
        if what == b"EXPUNGE":
            del self.flags[number - 1], self.uids[number - 1]
        elif what == b"EXISTS":
            assert number >= len(self.flags)
            missing = number - len(self.flags)
            self.flags += [None] * missing
            self.uids += [None] * missing

    def learn(self) -> None:
        """Ask for everything, once, to know it from news alone from then on."""
        self.say(b"FETCH 1:* (UID FLAGS)")

    def check(self, table: MessageTable) -> None:
        """It knows how many there are, and of those it knows the right things."""
        assert len(self.uids) == len(table)
        for at, (uid, shown) in enumerate(zip(self.uids, self.flags, strict=True)):
            assert uid in {None, table.uids[at]}
            if shown is not None:
                bits = (b"\\Deleted" in shown) * DELETED + (b"\\Seen" in shown) * SEEN
                bits += (b"\\Flagged" in shown) * FLAGGED
                assert bits == table.flags[at]
                assert shown.endswith(b"k") == bool(table.keywords[at])


def _lasting(flags: bytes) -> bytes:
    return flags.replace(b"\\Recent", b"").strip()


FLAGS = st.sampled_from(
    [b"+FLAGS (\\Deleted)", b"-FLAGS (\\Deleted)", b"FLAGS (\\Seen k)",
     b"+FLAGS (\\Flagged)", b"FLAGS ()"]
)  # fmt: skip
SETS = st.sampled_from([b"1", b"2", b"1:2", b"3:*", b"*", b"1,3", b"2:4"])
COMMANDS = st.one_of(
    st.tuples(st.sampled_from([b"STORE", b"UID STORE"]), SETS, FLAGS).map(b" ".join),
    st.tuples(
        st.sampled_from([b"FETCH", b"UID FETCH"]),
        SETS,
        st.sampled_from([b"BODY[TEXT]", b"(UID FLAGS)"]),
    ).map(b" ".join),
    st.sampled_from(
        [b"NOOP", b"CHECK", b"EXPUNGE", b"SEARCH DELETED", b"UID EXPUNGE 1:5",
         b"APPEND INBOX (\\Seen) {1+}\r\nx", b"COPY 1 INBOX", b"UID MOVE 2 Trash",
         b"STATUS INBOX (MESSAGES)", b"UID SEARCH ALL", b"MOVE 1 INBOX"]
    ),
    st.just(b"IDLE"),
)  # fmt: skip


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.lists(st.tuples(st.integers(0, 2), COMMANDS), max_size=25))
def test_clients_that_listen_know_what_there_is(
    tmp_path: object, steps: list[tuple[int, bytes]]
) -> None:
    served = Served(str(tmp_path))
    served.fill(*[MESSAGE] * 4)
    followers = [
        Follower(served.login(), command)
        for command in (b"SELECT", b"SELECT", b"EXAMINE")
    ]
    for follower in followers:
        follower.learn()
    for who, line in steps:
        follower = followers[who]
        if line == b"IDLE" or follower.idle:
            follower.wait()
        if line != b"IDLE" and not follower.idle:
            follower.say(line)
        for other in followers:
            if other.idle:
                other.hear(other.client.news())
    for follower in followers:
        if follower.idle:
            follower.wait()
        follower.say(b"NOOP")
    for follower in followers:
        follower.check(served.mailbox().table)

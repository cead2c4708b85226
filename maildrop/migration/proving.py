"""Proof that a new server has what an old one had: both are asked, all is compared.

In this file:
    Side       one of the two servers
    Depth      how much is read
    prove      every difference that a client of one user could notice
    accounts   those of IMAP, of connections that are open

Memory: a window of rows on each side, and messages of up to ``OCTETS`` or ``MESSAGES``
at a time when octets are compared; for POP3 the listing of the maildrop.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from maildrop.migration import comparing
from maildrop.migration.comparing import Difference
from maildrop.migration.connecting import Endpoint, Login
from maildrop.migration.facts import Listed, Row
from maildrop.migration.imap_account import ImapAccount
from maildrop.migration.pop3_account import read_maildrop
from maildrop.migration.responses import Value

#: Octets of messages that are asked for at once; a larger one comes alone.
OCTETS: Final = 1 << 22
#: Messages that are asked for at once.
MESSAGES: Final = 50

_DEEP: Final = "ENVELOPE BODYSTRUCTURE BODY.PEEK[]"
_SAMPLED: Final = "BODY.PEEK[]"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers, for one user.

    Attributes:
        imap: Where IMAP is, None to leave it out.
        pop3: Where POP3 is, None to leave it out.
        login: Who the user is there.
    """

    imap: Endpoint | None
    pop3: Endpoint | None
    login: Login


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is read.

    Attributes:
        deep: ENVELOPE, BODYSTRUCTURE and octets of every message.
        sample: Else the octets of so many messages of each mailbox.
    """

    deep: bool = False
    sample: int = 0

    @property
    def items(self) -> str:
        """What is fetched of a message that is read."""
        return _DEEP if self.deep else _SAMPLED

    def step(self, messages: int) -> int:
        """Every how many messages one is read; 0 for none."""
        if self.deep:
            return 1
        return max(1, messages // self.sample) if self.sample else 0


#: Told of progress: the mailbox, messages compared, messages in all.
Progress = Callable[[str, int, int], None]


def prove(
    old: Side, new: Side, depth: Depth, progress: Progress
) -> Iterator[Difference]:
    """Every difference that a client could notice.

    Raises:
        ServerFailed, AuthenticationFailed: A server could not be asked.
    """
    if old.imap is not None and new.imap is not None:
        with (
            closing(ImapAccount.at(old.imap, old.login)) as before,
            closing(ImapAccount.at(new.imap, new.login)) as after,
        ):
            yield from accounts(before, after, depth, progress)
    if old.pop3 is not None and new.pop3 is not None:
        progress("POP3", 0, 0)
        yield from comparing.maildrops(
            read_maildrop(old.pop3, old.login), read_maildrop(new.pop3, new.login)
        )


def accounts(
    old: ImapAccount, new: ImapAccount, depth: Depth, progress: Progress
) -> Iterator[Difference]:
    """Every difference of IMAP."""
    yield from comparing.namespaces(
        (old.prefix, old.delimiter), (new.prefix, new.delimiter)
    )
    found, pairs = comparing.account(old.mailboxes(), new.mailboxes())
    yield from found
    yield from comparing.subscriptions(old.subscriptions(), new.subscriptions())
    for before, after in pairs:
        yield from _Mailbox(old, new, before, after, depth).differences(progress)


class _Mailbox:
    """The comparison of one mailbox."""

    def __init__(
        self,
        old: ImapAccount,
        new: ImapAccount,
        before: Listed,
        after: Listed,
        depth: Depth,
    ) -> None:
        self._old = old
        self._new = new
        self._name = before.name
        self._depth = depth
        self._was = old.examine(before)
        self._is = new.examine(after)
        self._waiting: list[int] = []
        self._octets = 0

    def differences(self, progress: Progress) -> Iterator[Difference]:
        """All of them."""
        name, messages = self._name, self._was.messages
        yield from comparing.numbers(name, self._was, self._is)
        step = self._depth.step(messages)
        done = 0
        rows = comparing.paired(
            self._old.rows(messages), self._new.rows(self._is.messages)
        )
        for before, after in rows:
            if done % 100 == 0:
                progress(name, done, messages)
            yield from comparing.rows(name, before, after)
            wanted = step and (done % step == 0 or done == messages - 1)
            if before is not None and after is not None and wanted:
                yield from self._read(before)
            done += before is not None
        yield from self._compare()
        progress(name, done, messages)

    def _read(self, row: Row) -> Iterator[Difference]:
        """Compare the octets of a message, together with some others."""
        if self._waiting and self._octets + row.size > OCTETS:
            yield from self._compare()
        self._waiting.append(row.uid)
        self._octets += row.size
        if len(self._waiting) >= MESSAGES:
            yield from self._compare()

    def _compare(self) -> Iterator[Difference]:
        waiting, self._waiting, self._octets = self._waiting, [], 0
        if not waiting:
            return
        before = self._old.contents(waiting, self._depth.items)
        after = self._new.contents(waiting, self._depth.items)
        for uid in waiting:
            yield from self._content(uid, before, after)

    def _content(
        self,
        uid: int,
        old: Mapping[int, Mapping[bytes, Value]],
        new: Mapping[int, Mapping[bytes, Value]],
    ) -> Iterator[Difference]:
        before, after = old.get(uid), new.get(uid)
        if before is None or after is None:
            was, now = ("" if side is None else "there" for side in (before, after))
            if was != now:
                yield Difference("octets", was, now, self._name, uid)
            return
        yield from comparing.contents(self._name, uid, before, after)

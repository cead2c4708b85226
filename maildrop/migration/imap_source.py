"""The mail of a user at an IMAP server as a source of messages.

In this file:
    ImapSource    see ``mailbox.outside.Source``

Messages come with UIDs, flags, keywords and INTERNALDATE; with a POP3 server of the
same mail also with the POP3 unique ids of INBOX, by which POP3 clients know what they
have already.

Memory: a window of rows, and messages of up to ``OCTETS`` octets.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from maildrop.durable import Content
from maildrop.mailbox.flags import SYSTEM_FLAGS
from maildrop.mailbox.outside import Outside, OutsideNumbers, SourceMailbox
from maildrop.migration.connecting import Endpoint, Login, ServerFailed
from maildrop.migration.facts import Listed, Maildrop, Numbers, Row
from maildrop.migration.imap_account import ImapAccount
from maildrop.migration.pop3_account import read_maildrop

#: Octets of messages that are asked for at once; a larger one comes alone.
OCTETS: Final = 1 << 22
#: Messages that are asked for at once.
MESSAGES: Final = 64

#: RFC 6154 section 2, as it writes them.
_USES: Final = {
    use.lower(): use
    for use in (
        "\\All",
        "\\Archive",
        "\\Drafts",
        "\\Flagged",
        "\\Junk",
        "\\Sent",
        "\\Trash",
    )
}
_FLAGS: Final = {name.lower(): bit for name, bit in SYSTEM_FLAGS.items()}


class ImapSource:
    """The mail of a user at an IMAP server.

    Args:
        account: A connection; closed with this.
        name: The login name.
        maildrop: Tells what POP3 shows of the same INBOX; None where there is none.
        only: The one mailbox that is wanted; empty for all.
    """

    def __init__(
        self,
        account: ImapAccount,
        name: str,
        maildrop: Callable[[], Maildrop | None] = lambda: None,
        only: str = "",
    ) -> None:
        self.identity = f"imap://{name}@{account.server}"
        self.whole = not only
        self.passed_over: tuple[str, ...] = ()
        self._account = account
        self._maildrop = maildrop
        self._only = only

    @classmethod
    def at(
        cls, server: Endpoint, login: Login, pop3: Endpoint | None, only: str
    ) -> "ImapSource":
        """Log in.

        Args:
            server: Where.
            login: Who.
            pop3: Where the same mail is read with POP3, None for nowhere.
            only: The one mailbox that is wanted; empty for all.

        Raises:
            ServerFailed, AuthenticationFailed: as they say.
        """

        def maildrop() -> Maildrop | None:
            return None if pop3 is None else read_maildrop(pop3, login)

        return cls(ImapAccount.at(server, login), login.name, maildrop, only)

    def close(self) -> None:
        """Log out."""
        self._account.close()

    def mailboxes(self) -> list[SourceMailbox]:
        """All of them, INBOX first."""
        found: list[SourceMailbox] = [
            _ImapMailbox(self._account, listed, self._maildrop)
            for listed in self._account.mailboxes()
            if listed.selectable and self._only in {"", listed.name}
        ]
        if not found:
            raise ServerFailed(f"{self.identity} has no mailbox {self._only}")
        return sorted(found, key=lambda box: (box.name != "INBOX", box.name))

    def subscriptions(self) -> list[str] | None:
        """Subscribed names."""
        names = self._account.subscriptions()
        return [name for name in names if self._only in {"", name}]


class _ImapMailbox:
    """One mailbox."""

    def __init__(
        self,
        account: ImapAccount,
        listed: Listed,
        maildrop: Callable[[], Maildrop | None],
    ) -> None:
        self.name = listed.name
        self.special_use = tuple(
            _USES[attribute] for attribute in listed.attributes if attribute in _USES
        )
        self._account = account
        self._listed = listed
        self._maildrop = maildrop
        self._told: Numbers | None = None

    def _numbers(self) -> Numbers:
        if self._told is None:
            self._told = self._account.examine(self._listed)
        return self._told

    @property
    def messages(self) -> int:
        """How many there are."""
        return self._numbers().messages

    @property
    def numbers(self) -> OutsideNumbers | None:
        """Its numbers."""
        told = self._numbers()
        if not told.uid_validity or not told.uid_next:
            return None
        return OutsideNumbers(
            told.uid_validity, told.uid_next, told.highest_mod_seq or 0
        )

    def read(self, wanted: Callable[[bytes], bool]) -> Iterator[Outside]:
        """The messages, in order of their UIDs."""
        told = self._account.examine(self._listed)  # another one may be open
        maildrop = self._maildrop() if self.name == "INBOX" else None
        window: list[tuple[Row, bytes]] = []
        octets = 0
        for at, row in enumerate(self._account.rows(told.messages)):
            key = b"%d %d" % (told.uid_validity or 0, row.uid)
            if not wanted(key):
                yield Outside(key, Content.of(b""), uid=row.uid)
                continue
            if window and (len(window) == MESSAGES or octets + row.size > OCTETS):
                yield from self._fetch(window, told)
                window, octets = [], 0
            window.append((row, _uidl(maildrop, at, row)))
            octets += row.size
        yield from self._fetch(window, told)

    def _fetch(
        self, window: Sequence[tuple[Row, bytes]], told: Numbers
    ) -> Iterator[Outside]:
        if not window:
            return
        uids = [row.uid for row, _ in window]
        found = self._account.contents(uids, "BODY.PEEK[]")
        for row, uidl in window:
            octets = found.get(row.uid, {}).get(b"BODY[]")
            if not isinstance(octets, bytes):
                continue  # expunged meanwhile
            flags = 0
            keywords = []
            for flag in row.flags:
                bit = _FLAGS.get(flag.lower())
                if bit is not None:
                    flags |= bit
                elif not flag.startswith("\\"):
                    keywords.append(flag)
            yield Outside(
                b"%d %d" % (told.uid_validity or 0, row.uid),
                Content.of(octets),
                flags,
                tuple(keywords),
                row.date,
                row.uid,
                uidl,
            )


def _uidl(maildrop: Maildrop | None, at: int, row: Row) -> bytes:
    """The POP3 unique id of a message of INBOX, where both say the same of it."""
    if maildrop is None or maildrop.uidls is None or at >= len(maildrop.uidls):
        return b""
    return maildrop.uidls[at] if maildrop.sizes[at] == row.size else b""

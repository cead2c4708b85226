"""Hundreds of operations on a server, as clients do them, by chance but repeatable.

In this file:
    Client    what two servers have in common: connections that are logged in
    drive     the operations
"""

import imaplib
import poplib
import re
from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

_KEYWORDS: Final = ("$Forwarded", "Junk", "NonJunk", "$label1", "work")
_FLAGS: Final = ("(\\Seen)", "(\\Flagged)", "(\\Answered)", "(\\Draft)")
_FIRST: Final = (
    "",
    "(\\Seen)",
    "(\\Flagged $Forwarded)",
    "(\\Draft)",
    "(\\Answered work)",
)
#: The commonest most often.
_OPERATIONS: Final = (
    ("append", 6),
    ("flags", 4),
    ("keyword", 3),
    ("copy", 2),
    ("move", 2),
    ("expunge", 2),
    ("create", 2),
    ("rename", 1),
    ("subscribe", 2),
    ("unsubscribe", 1),
)
_LISTED: Final = re.compile(rb'\(([^)]*)\) "." "?([^"]+)"?')
_MAILBOXES: Final = 8


class Client(Protocol):
    """A server, for its clients."""

    def imap_client(self) -> imaplib.IMAP4:
        """A connection that is logged in."""

    def pop3_client(self) -> poplib.POP3:
        """A connection that is logged in."""


def drive(
    server: Client,
    random: Random,
    operations: int,
    *,
    separator: str = "/",
    prefix: str = "",
) -> None:
    """Do operations over IMAP, and a few over POP3.

    Args:
        server: Where.
        random: Decides which.
        operations: How many.
        separator: Between levels of names.
        prefix: Of every name but INBOX.
    """
    imap = server.imap_client()
    _Driver(imap, random, separator, prefix).run(operations)
    imap.logout()
    pop3 = server.pop3_client()
    count, _ = pop3.stat()
    for number in random.sample(range(1, count + 1), min(count, 2)):
        pop3.retr(number)
        pop3.dele(number)
    pop3.quit()


class _Driver:
    """One IMAP connection that does what chance says."""

    def __init__(
        self, imap: imaplib.IMAP4, random: Random, separator: str, prefix: str
    ) -> None:
        self._imap = imap
        self._random = random
        self._separator = separator
        self._prefix = prefix
        self._serial = random.randrange(1 << 30)
        self._names = self._listed()

    def _listed(self) -> list[str]:
        names = []
        for line in self._imap.list()[1]:
            found = _LISTED.match(line) if isinstance(line, bytes) else None
            if found is not None and b"noselect" not in found[1].lower():
                names.append(found[2].decode())
        return sorted(names)

    def run(self, operations: int) -> None:
        """Do so many."""
        handlers = {
            "append": self._append,
            "flags": self._flags,
            "keyword": self._keyword,
            "copy": self._copy,
            "move": self._move,
            "expunge": self._expunge,
            "create": self._create,
            "rename": self._rename,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }
        kinds = [name for name, weight in _OPERATIONS for _ in range(weight)]
        for _ in range(operations):
            name = self._random.choice(self._names)
            self._ok(self._imap.select(_quoted(name)))
            uids = self._ok(self._imap.uid("SEARCH", "ALL")).split()
            handlers[self._random.choice(kinds)](name, [uid.decode() for uid in uids])

    @staticmethod
    def _ok(answer: tuple[str, Sequence[object]]) -> bytes:
        """The first line of an answer that must be good."""
        assert answer[0] == "OK", answer
        return answer[1][0] if isinstance(answer[1][0], bytes) else b""

    def _some(self, uids: list[str]) -> str:
        return ",".join(self._random.sample(uids, min(len(uids), 3)))

    # -- operations

    def _append(self, name: str, _: list[str]) -> None:
        self._serial += 1
        body = b"".join(b"line %d\r\n" % n for n in range(self._random.randrange(40)))
        octets = (
            b"From: someone@example.org\r\nTo: maria@example.org\r\n"
            b"Subject: message %d\r\nMessage-ID: <%d@example.org>\r\n"
            b"Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=us-ascii\r\n\r\n%b"
        ) % (self._serial, self._serial, body)
        date = imaplib.Time2Internaldate(1_700_000_000 + self._random.randrange(10**7))
        flags = self._random.choice(_FIRST)
        self._ok(self._imap.append(_quoted(name), flags, date, octets))

    def _flags(self, _: str, uids: list[str]) -> None:
        if uids:
            how = self._random.choice(("+FLAGS", "-FLAGS"))
            flags = self._random.choice(_FLAGS)
            self._ok(self._imap.uid("STORE", self._some(uids), how, flags))

    def _keyword(self, _: str, uids: list[str]) -> None:
        if uids:
            how = self._random.choice(("+FLAGS", "+FLAGS", "-FLAGS"))
            word = f"({self._random.choice(_KEYWORDS)})"
            self._ok(self._imap.uid("STORE", self._some(uids), how, word))

    def _copy(self, _: str, uids: list[str]) -> None:
        if uids:
            target = _quoted(self._random.choice(self._names))
            self._ok(self._imap.uid("COPY", self._some(uids), target))

    def _move(self, name: str, uids: list[str]) -> None:
        target = self._random.choice(self._names)
        if uids and target != name:
            uid = self._random.choice(uids)
            self._ok(self._imap.uid("COPY", uid, _quoted(target)))
            self._expunge(name, [uid])

    def _expunge(self, _: str, uids: list[str]) -> None:
        if uids:
            uid = self._random.choice(uids)
            self._ok(self._imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)"))
            self._imap.expunge()

    def _create(self, _: str, __: list[str]) -> None:
        if len(self._names) >= _MAILBOXES:
            return
        self._serial += 1
        kind = self._random.choice(("Work", "Gr&APwA3w-e", "Lists", "Sent"))
        above = [name for name in self._names if name != "INBOX"]
        name = f"{self._prefix}{kind}{self._serial % 1000}"
        if above and self._separator == "." and self._random.random() < 0.5:
            name = f"{self._random.choice(above)}.{kind}{self._serial % 1000}"
        self._ok(self._imap.create(_quoted(name)))
        self._names.append(name)

    def _rename(self, _: str, __: list[str]) -> None:
        below = [n.rpartition(self._separator)[0] for n in self._names]
        names = [n for n in self._names if n != "INBOX" and n not in below]
        if names:
            name = self._random.choice(names)
            self._imap.select("INBOX")
            self._ok(self._imap.rename(_quoted(name), _quoted(f"{name}r")))
            self._names[self._names.index(name)] = f"{name}r"

    def _subscribe(self, name: str, _: list[str]) -> None:
        self._ok(self._imap.subscribe(_quoted(name)))

    def _unsubscribe(self, name: str, _: list[str]) -> None:
        self._ok(self._imap.unsubscribe(_quoted(name)))


def _quoted(name: str) -> str:
    return f'"{name}"'

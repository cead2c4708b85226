"""IMAP sessions that know only what they are told, and a look at what is there.

In this file:
    Session    a client that keeps its list of messages by untagged responses alone
    Message    a message as the server shows it
    look       all messages, as a client finds them that selects the mailbox now

RFC 3501 section 7.4: EXPUNGE renumbers, EXISTS adds, FETCH changes flags.
"""

import re
from dataclasses import dataclass
from typing import Final

from tests.interop.clients import Wire
from tests.interop.server import Server, User

_EXPUNGE: Final = re.compile(rb"\* (\d+) EXPUNGE\r\n")
_EXISTS: Final = re.compile(rb"\* (\d+) EXISTS\r\n")
_FETCH: Final = re.compile(rb"\* (\d+) FETCH \((.*)\)\r\n", re.DOTALL)
_FLAGS: Final = re.compile(rb"FLAGS \(([^)]*)\)")
_UID: Final = re.compile(rb"UID (\d+)")
_VALIDITY: Final = re.compile(rb"UIDVALIDITY (\d+)")
_WHOLE: Final = re.compile(
    rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\) BODY\[\] \{(\d+)\}\r\n"
)

Flags = frozenset[str]


def _flags(octets: bytes) -> Flags:
    return frozenset(octets.decode().split()) - {"\\Recent"}


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the server shows it."""

    uid: int
    flags: Flags
    octets: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """A mailbox as the server shows it, in its order."""

    uid_validity: int
    messages: tuple[Message, ...]


class Session:
    """A client with the mailbox selected.

    Args:
        server: Whose.
        user: Who.
        expected: Responses other than OK that may come for a while.
    """

    def __init__(self, server: Server, user: User) -> None:
        self._wire = Wire(server, "imap")
        self._wire.login(user)
        self.uids: list[int] = []
        self.flags: list[Flags] = []
        self.idles = False
        self.select()

    def command(self, command: str, also: tuple[str, ...] = ()) -> list[bytes]:
        """Send a command and apply what is told; gives the lines.

        Args:
            command: Without its tag.
            also: Answers that are right as well, such as ``NO [EXPUNGEISSUED]``.
        """
        lines = self._wire.command(b"s", command.encode())
        self._apply(lines)
        right = tuple(f"s {answer}".encode() for answer in ("OK", *also))
        assert lines[-1].startswith(right), (command, lines)
        return lines

    def select(self) -> None:
        """Select the mailbox anew."""
        self.uids, self.flags = [], []
        self.command("SELECT INBOX")
        self._know()

    def append(self, octets: bytes, flags: str = "") -> None:
        """Add a message."""
        head = f"s APPEND INBOX ({flags}) {{{len(octets)}+}}\r\n".encode()
        self._wire.send(head + octets + b"\r\n")
        lines = self._wire.until(b"s ")
        assert lines[-1].startswith(b"s OK"), lines
        self._apply(lines)

    def idle(self) -> None:
        """Wait for news, as clients do."""
        self._wire.send(b"s IDLE\r\n")
        self._apply(self._wire.until(b"+ "))
        self.idles = True

    def catch_up(self) -> None:
        """Learn all that there is to be told."""
        if self.idles:
            self._wire.send(b"DONE\r\n")
            self._apply(self._wire.until(b"s "))
            self.idles = False
        self.command("NOOP")
        self._know()

    def _know(self) -> None:
        """Ask about messages of which no more is known than that they exist."""
        while 0 in self.uids:
            self.command(f"FETCH {self.uids.index(0) + 1}:* (UID FLAGS)")

    def _apply(self, lines: list[bytes]) -> None:
        for line in lines:
            if found := _EXPUNGE.fullmatch(line):
                number = int(found[1])
                assert 0 < number <= len(self.uids), (line, len(self.uids))
                del self.uids[number - 1], self.flags[number - 1]
            elif found := _EXISTS.fullmatch(line):
                missing = int(found[1]) - len(self.uids)
                assert missing >= 0, (line, len(self.uids))
                self.uids += [0] * missing
                self.flags += [frozenset()] * missing
            elif found := _FETCH.fullmatch(line):
                self._fetched(int(found[1]), found[2])

    def _fetched(self, number: int, items: bytes) -> None:
        assert 0 < number <= len(self.uids), (number, items)
        if flags := _FLAGS.search(items):
            self.flags[number - 1] = _flags(flags[1])
        if uid := _UID.search(items):
            assert self.uids[number - 1] in {0, int(uid[1])}, "another UID"
            self.uids[number - 1] = int(uid[1])

    def close(self) -> None:
        """Cut the connection."""
        self._wire.close()


def look(server: Server, user: User) -> Shown:
    """All messages of the inbox, as they are found now."""
    with Wire(server, "imap") as wire:
        wire.login(user)
        selected = b"".join(wire.command(b"s", b"EXAMINE INBOX"))
        validity = _VALIDITY.search(selected)
        assert validity, selected
        wire.send(b"f FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n")
        answer = b"".join(wire.until(b"f "))
        # As clients do; by what the server keeps for it, it knows messages again.
        wire.command(b"e", b"FETCH 1:* (ENVELOPE)")
        if b"\nf OK" not in b"\n" + answer:
            # Nothing is there, or some of it was found to be gone just now.
            empty = b"* 0 EXISTS" in selected
            assert empty or b"f NO [EXPUNGEISSUED]" in answer, answer
        messages, at = [], 0
        while found := _WHOLE.search(answer, at):
            _, uid, flags, length = found.groups()
            at = found.end() + int(length)
            octets = answer[found.end() : at]
            messages.append(Message(int(uid), _flags(flags), octets))
        return Shown(int(validity[1]), tuple(messages))

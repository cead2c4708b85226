r"""The mail of a user at an IMAP server, read through a connection of imaplib's.

In this file:
    ImapAccount    the connection

Nothing is changed: mailboxes are opened with EXAMINE (RFC 3501 section 6.3.2),
messages read with BODY.PEEK.  Messages are asked for by sequence number, ``WINDOW`` at
a time, so that no answer and no memory grows with the mailbox; the numbers stay right
because a server may not tell of EXPUNGE during FETCH (RFC 3501 section 7.4.1).

Limits: imaplib refuses a line of more than a million octets; literals do not count.

Security: what the server says is taken apart by ``responses``; names and flags are
text to be shown and compared, nothing more.
"""

import contextlib
import imaplib
from collections.abc import Iterator, Sequence
from typing import Final

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import dates, mailbox_name
from maildrop.migration.connecting import Endpoint, Login, ServerFailed, failing, imap
from maildrop.migration.facts import Listed, Numbers, Row
from maildrop.migration.responses import (
    Value,
    code,
    fetched,
    grouped,
    number,
    texts,
    values,
)

#: Messages asked for at once.
WINDOW: Final = 1000

#: Flags that say something of a session, not of the message.
_OF_SESSIONS: Final = frozenset({"\\recent"})


class ImapAccount:
    """The mail of a user at an IMAP server.

    Args:
        server: Where.
        connection: A connection to it that is logged in; closed with this.
        window: Messages asked for at once.

    Raises:
        ServerFailed: It does not answer.
    """

    def __init__(
        self, server: Endpoint, connection: imaplib.IMAP4, window: int = WINDOW
    ) -> None:
        self.server = server
        self._window = window
        self._imap = connection
        self._has_mod_seq = "CONDSTORE" in self._imap.capabilities
        try:
            self.prefix, self.delimiter = self._namespace()
        except BaseException:
            self.close()
            raise

    @classmethod
    def at(cls, server: Endpoint, login: Login) -> "ImapAccount":
        """Log in.

        Raises:
            ServerFailed, AuthenticationFailed: as they say.
        """
        return cls(server, imap(server, login))

    def can(self, capability: str) -> bool:
        """Whether the server has a capability."""
        return capability in self._imap.capabilities

    def close(self) -> None:
        """Log out."""
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self._imap.logout()

    def _done(self, answer: tuple[object, object], what: str) -> list[object]:
        """The data of an answer.

        Raises:
            ServerFailed: It is no OK.
        """
        kind, data = answer
        found = data if isinstance(data, list) else []
        if kind != "OK":
            said = b" ".join(item for item in found if isinstance(item, bytes))
            raise ServerFailed(
                f"{self.server}: {what}: {said.decode(errors='replace')}"
            )
        return found

    # -- names

    def _namespace(self) -> tuple[str, str]:
        """Prefix and separator of the user's own mailboxes (RFC 2342)."""
        with failing(self.server):
            if self.can("NAMESPACE"):
                data = self._done(self._imap.namespace(), "NAMESPACE")
                for parts in grouped(data):
                    own = values(parts)[:1]
                    if own and isinstance(own[0], list) and own[0]:
                        return _prefix(own[0][0])
            data = self._done(self._imap.list('""', '""'), "LIST")
            for parts in grouped(data):
                return "", _delimiter(values(parts)[1:2])
        return "", "/"

    def _name(self, wire: bytes, delimiter: str) -> str:
        """A name with levels joined by "/", without prefix; inside out if need be."""
        try:
            name = mailbox_name.decode(wire)
        except ProtocolSyntaxError:
            name = wire.decode("utf-8", "surrogateescape")
        if name != "INBOX":
            name = name.removeprefix(self.prefix)
        if delimiter and delimiter != "/":
            name = name.translate({ord(delimiter): "/", ord("/"): delimiter})
        first, slash, rest = name.partition("/")
        return f"INBOX{slash}{rest}" if first.upper() == "INBOX" else name

    def mailboxes(self) -> list[Listed]:
        """All mailboxes, sorted by name."""
        arguments = ['""', '"*"']
        if self.can("SPECIAL-USE") and self.can("LIST-EXTENDED"):
            arguments.append("RETURN (SPECIAL-USE)")
        with failing(self.server):
            self._done(self._imap.xatom("LIST", *arguments), "LIST")
            found = self._listed(self._imap.response("LIST")[1])
        return sorted(found.values(), key=lambda listed: listed.name)

    def subscriptions(self) -> list[str]:
        """The subscribed names, sorted."""
        with failing(self.server):
            data = self._done(self._imap.lsub('""', '"*"'), "LSUB")
            listed = self._listed(data)
        # Courier lists levels above a subscribed name, which are not subscribed.
        above = {name[:at] for name in listed for at in _slashes(name)}
        return sorted(
            name
            for name, one in listed.items()
            if name not in above or "\\noselect" not in one.attributes
        )

    def _listed(self, data: Sequence[object] | None) -> dict[str, Listed]:
        """The mailboxes of LIST or LSUB responses, by name."""
        found: dict[str, Listed] = {}
        for parts in grouped(data or []):
            line = values(parts)
            if len(line) < 3 or not isinstance(line[2], bytes):
                raise ProtocolSyntaxError("expected a mailbox in LIST")
            attributes = frozenset(text.lower() for text in texts(line[0]))
            name = self._name(line[2], _delimiter(line[1:2]))
            if name:
                found[name] = Listed(line[2], name, attributes)
        return found

    # -- one mailbox

    def examine(self, mailbox: Listed) -> Numbers:
        """Open a mailbox for reading.

        Raises:
            ServerFailed: It cannot be opened.
        """
        what = f"EXAMINE {mailbox.name}"
        try:
            wire = mailbox.wire.decode("ascii")
        except UnicodeDecodeError:
            raise ServerFailed(f"{self.server}: {what}: a name not in ASCII") from None
        quoted = wire.replace("\\", "\\\\").replace('"', '\\"')
        with failing(self.server):
            answer = self._imap.select(f'"{quoted}"', readonly=True)
            exists = code(self._done(answer, what))
            permanent = self._code("PERMANENTFLAGS")
            return Numbers(
                uid_validity=number(self._code("UIDVALIDITY")),
                uid_next=number(self._code("UIDNEXT")),
                messages=number(exists) or 0,
                highest_mod_seq=number(self._code("HIGHESTMODSEQ")),
                permanent_flags=frozenset(
                    text.lower() for text in texts(_first(permanent))
                ),
            )

    def _code(self, name: str) -> bytes | None:
        """The argument of a response code of the last command."""
        return code(self._imap.response(name)[1])

    def rows(self, messages: int) -> Iterator[Row]:
        """The messages of the open mailbox, in its order.

        Args:
            messages: How many there are.
        """
        items = "(UID FLAGS INTERNALDATE RFC822.SIZE%s)"
        items %= " MODSEQ" if self._has_mod_seq else ""
        for first in range(1, messages + 1, self._window):
            last = min(first + self._window - 1, messages)
            with failing(self.server):
                answer = self._imap.fetch(f"{first}:{last}", items)
                found = _merged(self._done(answer, "FETCH"))
            for at in range(first, last + 1):
                row = _row(found.get(at, {}))
                if row is not None:
                    yield row

    def contents(
        self, uids: Sequence[int], items: str
    ) -> dict[int, dict[bytes, Value]]:
        """Items of messages of the open mailbox, by UID; without those that are gone.

        Args:
            uids: The messages.
            items: What to fetch, without parentheses: ``BODY.PEEK[]``.
        """
        with failing(self.server):
            answer = self._imap.uid("FETCH", _sequence_set(uids), f"(UID {items})")
            found = _merged(self._done(answer, "UID FETCH"))
        by_uid: dict[int, dict[bytes, Value]] = {}
        for named in found.values():
            uid = number(named.get(b"UID"))
            if uid is not None:
                by_uid[uid] = named
        return by_uid


def _first(octets: bytes | None) -> Value:
    """The first value in the argument of a response code."""
    found = values([octets]) if octets else []
    return found[0] if found else None


def _prefix(value: Value) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) < 2:
        raise ProtocolSyntaxError("expected a namespace")
    prefix = value[0]
    if not isinstance(prefix, bytes):
        raise ProtocolSyntaxError("expected the prefix of a namespace")
    return mailbox_name.decode(prefix), _delimiter(value[1:2])


def _delimiter(found: Sequence[Value]) -> str:
    value = found[0] if found else None
    return value.decode("ascii", "replace")[:1] if isinstance(value, bytes) else ""


def _merged(data: Sequence[object]) -> dict[int, dict[bytes, Value]]:
    """FETCH responses by sequence number; a server may tell a message in parts."""
    found: dict[int, dict[bytes, Value]] = {}
    for parts in grouped(data):
        at, named = fetched(parts)
        found.setdefault(at, {}).update(named)
    return found


def _row(named: dict[bytes, Value]) -> Row | None:
    """A row, if all of it was told."""
    uid, size = number(named.get(b"UID")), number(named.get(b"RFC822.SIZE"))
    if uid is None or size is None:
        return None
    date = named.get(b"INTERNALDATE")
    seconds = None
    if isinstance(date, bytes):
        with contextlib.suppress(ProtocolSyntaxError):
            seconds = dates.seconds(date)
    flags = (flag for flag in texts(named.get(b"FLAGS")))
    return Row(
        uid,
        tuple(sorted(flag for flag in flags if flag.lower() not in _OF_SESSIONS)),
        seconds,
        size,
        number(named.get(b"MODSEQ")),
    )


def _sequence_set(uids: Sequence[int]) -> str:
    """UIDs, ascending, as RFC 3501 section 9 writes them: ``1:3,7``."""
    spans: list[tuple[int, int]] = []
    for uid in uids:
        if spans and spans[-1][1] == uid - 1:
            spans[-1] = (spans[-1][0], uid)
        else:
            spans.append((uid, uid))
    return ",".join(f"{a}" if a == b else f"{a}:{b}" for a, b in spans)


def _slashes(name: str) -> list[int]:
    return [at for at, character in enumerate(name) if character == "/"]

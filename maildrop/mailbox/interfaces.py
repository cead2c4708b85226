"""What a storage format gives: mailboxes of one user, and messages of one mailbox.

In this file:
    Store            all mail of one account
    StoredMailbox    one open mailbox
    Cut              its calls that wait for the disk, so that others need not
    NewMessage       a message to be added
    MailboxEntry     a line of LIST
    MailboxStatus    the numbers of STATUS

All calls are synchronous and may touch the disk; ``bridge`` decides on which thread
they run and sees that calls on one mailbox never overlap.  They raise the classes of
``maildrop.errors``.  Nothing here speaks of files, so that a store in a database can
implement the same and pass the same tests (``tests/storage/contract.py``).

Messages are named by UID: it stays right while other programs change the mailbox.
Octets of a message always have CRLF line ends, whatever the store keeps.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from maildrop.durable import Content
from maildrop.errors import MaildropError
from maildrop.mailbox.flags import FlagChange
from maildrop.mailbox.keeping import KeepingStore
from maildrop.mailbox.keyed import KeyedMailbox
from maildrop.mailbox.numbering import NumberingMailbox, NumberingStore
from maildrop.mailbox.quota import Counted, LimitedStore
from maildrop.mailbox.steps import Steps
from maildrop.mailbox.stored_text import StoredText
from maildrop.mailbox.table import MessageTable


@dataclass(slots=True)
class NewMessage:
    """A message to be added to a mailbox.

    Attributes:
        content: The message as received, CRLF line ends.
        head: Octets to put before it (Return-Path, Delivered-To ...), CRLF line ends.
        flags: System flags as bits.
        keywords: Keyword names.
        date: INTERNALDATE in seconds since 1970 UTC, None for now.
        counted: How it is held against the quota.
        key: See ``keyed``; empty for none.
    """

    content: Content
    head: bytes = b""
    flags: int = 0
    keywords: tuple[str, ...] = ()
    date: int | None = None
    counted: Counted = Counted.LIMITED
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    r"""One mailbox, or level of the hierarchy, of an account.

    Attributes:
        name: Levels joined by "/".
        selectable: It holds messages (else \Noselect).
        children: It has mailboxes below it.
        special_use: RFC 6154 attributes, such as ``"\Sent"``.
    """

    name: str
    selectable: bool = True
    children: bool = False
    special_use: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """RFC 3501 section 6.3.10, and RFC 7162's and RFC 8438's additions."""

    messages: int
    recent: int
    uid_next: int
    uid_validity: int
    unseen: int
    highest_mod_seq: int
    size: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What COPY or MOVE did, as COPYUID tells it (RFC 4315 section 3).

    Attributes:
        uid_validity: Of the target.
        source: UIDs copied; those that had vanished are left out.
        target: The UIDs they got, in the same order.
    """

    uid_validity: int
    source: Sequence[int] = field(default_factory=list)
    target: Sequence[int] = field(default_factory=list)


#: What became of some messages that were to be added: their UIDs, or why not.
Published = Sequence[int] | MaildropError


class Cut(Protocol):
    """Calls of a ``StoredMailbox``, cut where they wait for the disk; see ``steps``."""

    def stage(self, messages: Sequence[NewMessage]) -> Steps[object]:
        """First half of adding."""

    def publish(self, staged: Sequence[object]) -> Steps[list[Published]]:
        """Second half, for several that were staged one by one.

        Returns:
            What became of each of them.
        """

    def copy(self, uids: Sequence[int], target: "StoredMailbox") -> Steps[Copied]:
        """Copy messages."""

    def move(
        self, uids: Sequence[int], target: "StoredMailbox", by: object | None
    ) -> Steps[Copied]:
        """Move messages."""


class StoredMailbox(NumberingMailbox, KeyedMailbox, Protocol):
    """One open mailbox of a store.

    ``numbering`` has the calls for mail that was numbered elsewhere, ``keyed`` those
    for messages that may be added twice.
    """

    @property
    def name(self) -> str:
        """Its name, levels joined by "/"."""

    @property
    def table(self) -> MessageTable:
        """The columns; the same object as long as the mailbox is open."""

    @property
    def read_only(self) -> bool:
        """Whether the account lacks the right to change it."""

    @property
    def inline(self) -> int:
        """Messages a call may touch on the reactor thread; 0 sends all to a thread."""

    def refresh(self) -> None:
        """Bring the table up to what other processes and programs have done.

        Cheap when nothing happened (a few stat calls).

        Raises:
            MailboxVanished: It was deleted or had to be renumbered.
        """

    def unchanged(self, *, thorough: bool) -> bool:
        """Whether nothing has happened that ``refresh`` would take in.

        It waits for no lock.

        Args:
            thorough: With the rights of the account.  Else it may be asked with
                nobody's rights, costs still less, and may see a second late that the
                mailbox was deleted or replaced.
        """

    @property
    def unclaimed(self) -> bool:
        """Whether ``claim_recent`` has something to do."""

    def claim_recent(self) -> None:
        r"""All messages there are now have been in a session (``\Recent``)."""

    def change_flags(
        self, uids: Sequence[int], change: FlagChange, by: object | None
    ) -> Sequence[int]:
        """Change flags and keywords.

        Returns:
            The UIDs whose flags are different now.

        Raises:
            KeywordLimit: A new keyword has no room; nothing is changed.
        """

    def expunge(
        self, uids: Sequence[int], by: object | None, *, keep: bool = True
    ) -> Sequence[int]:
        """Remove messages, whatever their flags.

        Args:
            uids: Which.
            by: The view that asked for it.
            keep: Keep them as the store was told (``keeping``); not what only leaves
                for another place.

        Returns:
            The UIDs removed; those already gone are left out.
        """

    def came_before(self, seconds: float) -> Sequence[int]:
        """UIDs of messages that came into this mailbox before a moment.

        Args:
            seconds: The moment, since 1970 UTC.
        """

    def stage(self, messages: Sequence[NewMessage]) -> object:
        """First half of adding: write and sync the octets, visible to nobody.

        Does not touch the table and may overlap with other calls on this mailbox.

        Returns:
            What ``publish`` or ``discard`` takes.
        """

    def publish(self, staged: object, by: object | None) -> Sequence[int]:
        """Second half: make the messages visible, all or none, and durable.

        Returns:
            Their UIDs, in order.
        """

    def discard(self, staged: object) -> None:
        """Undo ``stage``."""

    def copy(self, uids: Sequence[int], target: "StoredMailbox") -> Copied:
        """Copy messages with flags, keywords, dates; all or none (RFC 3501 6.4.7)."""

    def move(
        self, uids: Sequence[int], target: "StoredMailbox", by: object | None
    ) -> Copied:
        """Move messages (RFC 6851): at no moment in neither mailbox."""

    @property
    def cut(self) -> "Cut | None":
        """The four calls above, cut; None where they are better made whole, now."""

    def read(self, uid: int) -> bytes:
        """The whole message.

        Raises:
            MessageExpunged: It is gone.
        """

    def read_many(self, uids: Sequence[int]) -> list[bytes | None]:
        """Whole messages; None for one that is gone."""

    def read_at_once(self, uids: Sequence[int]) -> list[bytes | None] | None:
        """Whole messages, if that is quick; else None, and ``read_many`` has to do it.

        It changes nothing and waits for no lock, so it may run on the reactor thread.
        """

    def fragments(self, key: bytes, uids: Sequence[int]) -> list[bytes | None]:
        """Ready-to-send pieces of messages from the cache, made when missing.

        Args:
            key: A key of ``message.fragments.fragment``: ``b"ENVELOPE"``,
                ``b"HEADER.FIELDS (DATE FROM)"`` ...
            uids: Ascending.

        Returns:
            Octets for each message, None for one that is gone.
        """

    def fragments_at_once(
        self, key: bytes, uids: Sequence[int]
    ) -> list[bytes | None] | None:
        """The same, if all of them are there; else None: ``fragments`` has to do it.

        It changes nothing and waits for no lock, so it may run on the reactor thread.
        """

    @property
    def text(self) -> StoredText | None:
        """The text it keeps for SEARCH; None if it keeps none.

        Its calls may overlap with others on this mailbox, not with each other.
        """

    def uidls(self) -> list[bytes]:
        """POP3 unique ids (RFC 1939 section 7) of all rows; never change.

        It waits for no lock; of some thousand rows it may run on the reactor thread.
        """

    def lock_maildrop(self) -> Callable[[], None]:
        """The exclusive-access lock of POP3 (RFC 1939 section 4), among processes.

        It does not wait, and may run on the reactor thread.

        Returns:
            A function that lets go.

        Raises:
            MailboxInUse: Another POP3 session has it.
        """

    @property
    def unsettled(self) -> bool:
        """Whether something was put off that other programs would like to see."""

    def settle(self) -> None:
        """Do what was put off; may wait for locks.

        Called when the last session has left, and now and then while some stay.

        Raises:
            MailboxInUse: Another program holds the mailbox; try again later.
        """

    def watched_paths(self) -> Iterable[str]:
        """Files or directories whose change may mean news; empty if none exist."""

    def close(self) -> None:
        """Let go; write what was put off."""


class Store(KeepingStore, LimitedStore, NumberingStore, Protocol):
    """All mailboxes of one account.  Names have levels joined by "/"; INBOX exists.

    ``keeping`` has the calls for what was expunged, ``numbering`` those for mail that
    was numbered elsewhere.
    """

    def entries(self) -> list[MailboxEntry]:
        """Every mailbox and every level above one, sorted; INBOX included."""

    def open(self, name: str) -> StoredMailbox:
        """Open a mailbox.

        Raises:
            MailboxNotFound, MailboxNotSelectable, MailboxNameInvalid: as they say.
        """

    def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it (RFC 3501 section 6.3.3).

        Raises:
            MailboxExists, MailboxNameInvalid: as they say.
        """

    def delete(self, name: str) -> None:
        """Remove a mailbox and its messages (RFC 3501 section 6.3.4).

        One with children stays as a level that is not selectable.

        Raises:
            MailboxNotFound: No such mailbox.
            MailboxNotRemovable: INBOX, or a level that only has children.
        """

    def rename(self, name: str, new_name: str) -> None:
        """Rename with all children; INBOX moves its messages (RFC 3501 6.3.5)."""

    def subscriptions(self) -> list[str]:
        """Subscribed names, sorted; they need not exist."""

    def subscribe(self, name: str) -> None:
        """Add to the subscriptions (RFC 3501 section 6.3.6)."""

    def unsubscribe(self, name: str) -> None:
        """Take from the subscriptions (RFC 3501 section 6.3.7)."""

    def provide(self, special: Sequence[tuple[str, str]]) -> None:
        """Make the special-use mailboxes an account lacks, and subscribe to them.

        Done once for an account: one that the user deletes later stays deleted.

        Args:
            special: Pairs of name and RFC 6154 attribute.
        """

    def tidy(self) -> int:
        """Remove what interrupted work of long ago left; gives how much that was."""

    def close(self) -> None:
        """Let go of what is open."""

"""The selected mailbox of a session, and which messages a client means.

In this file:
    Selected    a mailbox, the session's view of it, and what the client was told
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from maildrop.imap.respond import NoSuchMessage
from maildrop.mailbox.open_mailbox import Mailbox
from maildrop.mailbox.reading_ahead import ReadingAhead
from maildrop.mailbox.view import View
from maildrop.message.sequence_set import SequenceSet


class Selected:
    """The mailbox that SELECT or EXAMINE opened.

    Attributes:
        mailbox: The open mailbox, shared with other sessions.
        view: This session's sequence numbers.
        read_only: EXAMINE, or no right to change it.
        keywords_told: How many keywords the client knows of.
        kept: A section that the client fetches in pieces, and what it is of.
        reading: Reads messages that the client fetches one by one.
    """

    __slots__ = ("kept", "keywords_told", "mailbox", "read_only", "reading", "view")

    def __init__(self, mailbox: Mailbox, *, read_only: bool) -> None:
        self.mailbox = mailbox
        self.read_only = read_only
        self.view: View = mailbox.view(read_only=read_only)
        self.keywords_told = len(mailbox.table.keyword_names)
        self.kept: tuple[object, bytes] | None = None
        self.reading = ReadingAhead(mailbox)

    def spans(self, messages: SequenceSet, *, uid: bool) -> list[range]:
        """Where in the view the messages are; sequence number less one.

        Args:
            messages: What the client named.
            uid: The numbers are UIDs; those that are not in use are passed over.

        Raises:
            NoSuchMessage: A sequence number is too large (RFC 3501 section 9,
                "seq-number"); "*" is in an empty mailbox.
        """
        view = self.view
        count = view.count
        if not uid:
            spans = messages.spans(count)
            if not spans or spans[-1][1] > count:
                raise NoSuchMessage("sequence number over the number of messages")
            return [range(low - 1, high) for low, high in spans]
        found = []
        uids = view.uids
        for low, high in messages.spans(uids[count - 1] if count else 0):
            first = bisect_left(uids, low, 0, count)
            last = bisect_right(uids, high, first, count)
            if first < last:
                found.append(range(first, last))
        return found

    def uids(self, spans: Sequence[range]) -> Sequence[int]:
        """The UIDs of places in the view, ascending."""
        uids = self.view.uids
        if len(spans) == 1:
            return uids[spans[0].start : spans[0].stop]
        found = uids[:0]
        for span in spans:
            found += uids[span.start : span.stop]
        return found

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        """The sequence numbers of UIDs of the view, ascending."""
        view = self.view
        if len(uids) * 16 < view.count:  # look each of a few up, pass all by for many
            found = map(view.number, uids)
            return [number for number in found if number is not None]
        wanted = set(uids)
        known = enumerate(view.uids[: view.count], 1)
        return [number for number, uid in known if uid in wanted]

    def named(self, messages: SequenceSet, *, uid: bool) -> Sequence[int]:
        """The UIDs of the messages that the client named; see ``spans``."""
        return self.uids(self.spans(messages, uid=uid))

    def rows(self, spans: Sequence[range], uids: Sequence[int]) -> Sequence[int]:
        """The rows in the table of places in the view; fewer when some are gone.

        Args:
            spans: The places.
            uids: Their UIDs.
        """
        if not self.view.current:
            return self.mailbox.table.rows(uids)
        if len(spans) == 1:
            return spans[0]
        return [row for span in spans for row in span]

    def forget(self) -> None:
        """Let go of octets that the client seems not to come back for."""
        self.kept = None
        self.reading.forget()

    async def leave(self) -> None:
        """The session is done with it."""
        self.mailbox.drop_view(self.view)
        await self.mailbox.leave()

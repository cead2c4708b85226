"""Adding, copying and moving in a Maildir, cut where they wait for the disk.

In this file:
    MaildirCut    see ``mailbox.interfaces.Cut``
    Paced         the same, measured
    listed        what ``stage`` gave, as a list

``staging``, ``delivery`` and ``moving`` have what is done.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from maildrop.errors import MaildropError
from maildrop.mailbox.interfaces import Copied, NewMessage, Published, StoredMailbox
from maildrop.mailbox.steps import MustWait, Steps
from maildrop.storage.index.host import Host
from maildrop.storage.maildir import delivery, moving
from maildrop.storage.maildir.linked import Linked
from maildrop.storage.maildir.staging import Staged, stage

T = TypeVar("T")

#: A staging that has room, and the keyword bits of its messages.
_Admitted = tuple[list[Staged], list[int]]


class MaildirCut:
    """The calls of one mailbox.

    Args:
        mailbox: The mailbox.
    """

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Linked) -> None:
        self._mailbox = mailbox

    def stage(self, messages: Sequence[NewMessage]) -> Steps[object]:
        """Write the octets to tmp/ and sync them."""
        return (yield from stage(self._mailbox.folder, messages, self._mailbox.host))

    def publish(self, staged: Sequence[object]) -> Steps[list[Published]]:
        """Make the messages of several stagings visible."""
        if len(staged) == 1:
            return [(yield from self._publish_one(listed(staged[0])))]
        mailbox = self._mailbox
        several = [listed(some) for some in staged]
        published: dict[int, Published] = {}
        keywords: dict[int, list[int]] = {}
        with mailbox.changing():
            before = after = mailbox.allowance.begin()
            for at, some in enumerate(several):
                try:
                    bits = delivery.keywords_of(mailbox, some)
                    after = delivery.admit(mailbox, after, some)
                    keywords[at] = bits
                except MaildropError as error:
                    published[at] = error
            admitted = {at: (several[at], bits) for at, bits in keywords.items()}
            published |= yield from _published_apart(mailbox, admitted)
            if admitted:
                mailbox.allowance.added(before, after)
        return [published[at] for at in range(len(several))]

    def _publish_one(self, staged: list[Staged]) -> Steps[Published]:
        """The same for one staging, which is what there mostly is."""
        mailbox = self._mailbox
        with mailbox.changing():
            before = mailbox.allowance.begin()
            try:
                keywords = delivery.keywords_of(mailbox, staged)
                after = delivery.admit(mailbox, before, staged)
            except MaildropError as error:
                return error
            together = len(staged) > 1 or any(each.key for each in staged)
            uids = yield from delivery.publish(
                mailbox, staged, keywords, together=together
            )
            mailbox.allowance.added(before, after)
        return list(uids)

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Steps[Copied]:
        """Copy messages, all or none."""
        if isinstance(target, Linked):
            copied = yield from moving.copy(self._mailbox, uids, target)
            if copied is not None:
                return copied
        raise MustWait("to read the messages")

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Steps[Copied]:
        """Move messages."""
        if isinstance(target, Linked):
            moved = yield from moving.move(self._mailbox, uids, target, by)
            if moved is not None:
                return moved
        raise MustWait("to read the messages")


class Paced:
    """The calls of one mailbox, for a thread where others wait.

    Args:
        cut: The calls.
        host: Takes down how long they take between the waits.
    """

    __slots__ = ("_cut", "_host")

    def __init__(self, cut: MaildirCut, host: Host) -> None:
        self._cut = cut
        self._host = host

    def stage(self, messages: Sequence[NewMessage]) -> Steps[object]:
        """Write the octets to tmp/ and sync them."""
        return _paced(self._cut.stage(messages), self._host)

    def publish(self, staged: Sequence[object]) -> Steps[list[Published]]:
        """Make the messages of several stagings visible."""
        return _paced(self._cut.publish(staged), self._host)

    def copy(self, uids: Sequence[int], target: StoredMailbox) -> Steps[Copied]:
        """Copy messages, all or none."""
        return _paced(self._cut.copy(uids, target), self._host)

    def move(
        self, uids: Sequence[int], target: StoredMailbox, by: object | None
    ) -> Steps[Copied]:
        """Move messages."""
        return _paced(self._cut.move(uids, target, by), self._host)


def _paced(steps: Steps[T], host: Host) -> Steps[T]:
    """The same steps; the first is the one with most work on files."""
    began = host.monotonic()
    try:
        wait = next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    host.pace.took(began, host.monotonic())
    try:
        while True:
            try:
                yield wait
            except BaseException as error:
                wait = steps.throw(error)  # it tidies up, and may go on
            else:
                wait = next(steps)
    except StopIteration as done:
        ended: T = done.value
        return ended


def _published_apart(
    mailbox: Linked, admitted: Mapping[int, _Admitted]
) -> Steps[dict[int, Published]]:
    """Publish those without a key, then those with one.

    Of these an error takes nothing back, so they go by themselves.

    Raises:
        MaildropError: Nothing was published.
    """
    groups: tuple[dict[int, _Admitted], ...] = ({}, {})
    for at, (some, bits) in admitted.items():
        groups[any(message.key for message in some)][at] = some, bits
    published: dict[int, Published] = {}
    for group in filter(None, groups):
        try:
            published |= yield from _published(mailbox, group, keyed=group is groups[1])
        except MaildropError as error:
            if not published:
                raise
            mailbox.left_alone()  # the next one looks at what there is
            published |= dict.fromkeys(group, error)
    return published


def _published(
    mailbox: Linked, group: Mapping[int, _Admitted], *, keyed: bool
) -> Steps[dict[int, Published]]:
    messages = [message for some, _ in group.values() for message in some]
    keywords = [bits for _, several in group.values() for bits in several]
    together = keyed or any(len(some) > 1 for some, _ in group.values())
    uids = yield from delivery.publish(mailbox, messages, keywords, together=together)
    given = iter(uids)
    return {at: [next(given) for _ in some] for at, (some, _) in group.items()}


def listed(staged: object) -> list[Staged]:
    """What ``stage`` gave."""
    found = staged if isinstance(staged, list) else []
    return [message for message in found if isinstance(message, Staged)]

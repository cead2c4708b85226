"""The remainder: what is left of a message when all that could be done at once is done.

In this file:
    Tried          an action, and what became of it
    remainder      the entry of the queue that sees to the rest
    expanded       a recipient that stands for others, and these

What goes into the entry:

    an action                      and its recipient       in the entry it
    -----------------------------  ----------------------  -------------------------
    waits, or failed for now       -                       waits
    failed for good                -                       failed: is to be reported
    is done                        asked for a report of   is done: is to be reported
                                   success
    is done                        did not                 is not there

An address that means several, or has the reverse path of a list's owner, is expanded
(RFC 3461 section 5.2.7): the report of success is for the address itself, and what it
stands for is reported when it fails.  Members of a list are the owner's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from maildrop.delivery.actions import LOCAL, Action, Discard, Recipient, has_owner
from maildrop.delivery.placing import Placing
from maildrop.queue.entry import Entry, Kind, Status, Waiting

_EXPANDED = Status("2.1.5", "it stands for others, to whom the message went on")
_SUCCESS = "SUCCESS"
#: RFC 3461 section 4.2: what an address without ORCPT is.
_RFC822 = "rfc822"
_UTF8 = "utf-8"


@dataclass(frozen=True, slots=True)
class Tried:
    """An action, and what became of it.

    Attributes:
        action: What was to be done.
        kind: WAITING if it was not done, DELIVERED or FAILED.
        status: Why; None if nothing was tried.
    """

    action: Action
    kind: Kind = Kind.WAITING
    status: Status | None = None


def remainder(
    entry: Entry, tried: Sequence[tuple[Recipient, Sequence[Tried]]], placing: Placing
) -> Entry | None:
    """The entry that sees to the rest; None if there is nothing to do.

    Args:
        entry: Without recipients.
        tried: All recipients, and what became of their actions.
        placing: Makes recipients that wait.
    """
    waiting = entry.recipients
    for recipient, actions in tried:
        waiting += _of_one(recipient, actions, placing, len(waiting))
    return entry if waiting else None


def _of_one(
    recipient: Recipient, tried: Sequence[Tried], placing: Placing, first: int
) -> list[Waiting]:
    success = _SUCCESS in recipient.notify
    if len(tried) == 1 and not has_owner(tried[0].action):
        if tried[0].kind is Kind.DELIVERED and not success:
            return []
        waiting = _waiting(tried[0], recipient, placing, -1)
        waiting.number = first
        waiting.notify = recipient.notify
        return [waiting]
    left = [each for each in tried if each.kind is not Kind.DELIVERED]
    if not success:
        return expanded(recipient, left, placing, first, -1)
    parent = Waiting(
        first,
        str(recipient.path),
        LOCAL,
        "",
        recipient.original,
        recipient.notify,
        kind=_kind_of_parent(tried),
        status=_EXPANDED,
    )
    return [parent, *expanded(recipient, left, placing, first + 1, first)]


def _kind_of_parent(tried: Sequence[Tried]) -> Kind:
    """RFC 3461 section 5.2.7.1: mail for a list is delivered to the list."""
    owned = all(has_owner(each.action) for each in tried)
    return Kind.DELIVERED if owned else Kind.EXPANDED


def expanded(
    recipient: Recipient,
    tried: Sequence[Tried],
    placing: Placing,
    first: int,
    parent: int,
) -> list[Waiting]:
    """What an address stands for.

    Args:
        recipient: The address.
        tried: What is to be done.
        placing: Makes recipients that wait.
        first: The number of the first.
        parent: The number of the address, -1 for none.
    """
    found = []
    for number, each in enumerate(tried, first):
        waiting = _waiting(each, recipient, placing, parent)
        waiting.number = number
        if not has_owner(each.action):
            waiting.notify = _of_children(recipient.notify)
        found.append(waiting)
    return found


def _of_children(notify: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 3461 section 5.2.7.3: success was reported with the expansion."""
    rest = tuple(each for each in notify if each != _SUCCESS)
    return rest or ("NEVER",) * bool(notify)


def _waiting(
    tried: Tried, recipient: Recipient, placing: Placing, parent: int
) -> Waiting:
    path = recipient.path
    if isinstance(tried.action, Discard):
        waiting = Waiting(-1, str(path), LOCAL, "", parent=parent)
    else:
        waiting = placing.action(tried.action, path, parent)
    if not has_owner(tried.action):
        waiting.original = recipient.original
        if not waiting.original and waiting.address != str(path):
            # RFC 3461 section 5.2.1: the sender knows this one.
            kind = _RFC822 if path.is_ascii else _UTF8
            waiting.original = f"{kind};{path}"
    waiting.kind, waiting.status = tried.kind, tried.status
    return waiting

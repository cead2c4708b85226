"""Actions: what is to be done with a message for a recipient.

In this file:
    Recipient     an address that mail is taken for, and all that follows from it
    ToMailbox     put it into a mailbox of an account
    ToAddress     send it to an address elsewhere
    ToCommand     give it to a command
    ToFile        append it to a file, or put it into a Maildir
    Discard       do nothing
    Reason        one step on the way to an action: a rule, and where it stands
    has_owner     whether an action's reports go to the owner of a list
    shown         an action in a few words
    as_waiting    an action as a recipient that waits in the queue
    as_action     the way back

The router finds actions; whoever has the message carries them out: mailboxes at once
(``delivery.agent``), all else from the queue.  What a relay of the queue takes:

    relay      destination      address         order
    local      ""               recipient       "" (still to be routed) or a mailbox
    smtp       domain           where it goes   ""
    command    user's name      recipient       the command and whose it is
    file       path             recipient       the file and whose it is

An order is JSON; its ``user`` is the name of a user of ours, or empty with ``uid`` and
``gid`` for owners of files who are none.

Errors: ``Strange`` for an order that cannot be understood.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from maildrop.errors import TemporaryError
from maildrop.mailbox.account import Account
from maildrop.queue.entry import Waiting
from maildrop.smtp.wire.path import Path, path_of

INBOX: Final = "INBOX"

LOCAL: Final = "local"
SMTP: Final = "smtp"
COMMAND: Final = "command"
FILE: Final = "file"


class Strange(TemporaryError):
    """An order that cannot be understood, or is of somebody who is no more."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One step on the way to an action.

    Attributes:
        rule: What decided: ``user``, ``detail``, ``virtual``, ``catch-all``, ``alias``,
            ``owner``, ``include``, ``forward``, ``own address``, ``postmaster``,
            ``srs``, ``elsewhere``.
        text: What was decided: ``team -> bob``.
        file: Where the rule stands, empty if in no file.
        line: The line in it, 0 if none.
    """

    rule: str
    text: str
    file: str = ""
    line: int = 0

    @classmethod
    def user(cls, account: Account) -> "Reason":
        """A user has that name."""
        file, _, line = account.source.rpartition(":")
        return cls("user", account.name, file, int(line) if line.isdecimal() else 0)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.rule}: {self.text}" + (f" ({place})" if place else "")


@dataclass(frozen=True, slots=True)
class ToMailbox:
    """Put it into a mailbox.

    Attributes:
        account: Whose.
        folder: Its name; INBOX is taken if there is none of that name.
        sender: The reverse path from here on; None for that of the message.
        why: The steps that led here.
    """

    account: Account
    folder: str = INBOX
    sender: Path | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ToAddress:
    """Send it elsewhere.

    Attributes:
        path: Where to.
        sender: The reverse path from here on; None for that of the message.
        later: The address is ours, and means so many others that it is to be routed
            when the message is in the queue (``Router.route`` with ``whole``).
        forwarded: Not asked for by the sender, but by one of our files.
        rewritten: The reverse path is that of the message, written so that it is taken
            from us (SRS): what is reported to it goes on to the sender.
        why: The steps that led here.
    """

    path: Path
    sender: Path | None = field(default=None, compare=False)
    later: bool = False
    forwarded: bool = field(default=False, compare=False)
    rewritten: bool = field(default=False, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ToCommand:
    """Give it to a command.

    Attributes:
        line: The command, as the file has it without the ``|``.
        rights: Whose rights it has.
        detail: What follows the user's name in the address.
        user: The name of the user whose file names it, empty for an alias.
        sender: The reverse path from here on; None for that of the message.
        why: The steps that led here; the last names the file.
    """

    line: str
    rights: Account
    detail: str = field(default="", compare=False)
    user: str = ""
    sender: Path | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ToFile:
    """Append it to an mbox file, or put it into a Maildir: a path that ends in ``/``.

    Attributes:
        path: Absolute.
        rights: Whose rights are used.
        user: The name of the user whose file names it, empty for an alias.
        sender: The reverse path from here on; None for that of the message.
        why: The steps that led here; the last names the file.
    """

    path: str
    rights: Account
    user: str = ""
    sender: Path | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Discard:
    """Do nothing: the file is ``/dev/null``.

    Attributes:
        sender: Has no meaning.
        why: The steps that led here; the last names the file.
    """

    sender: Path | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)


Action = ToMailbox | ToAddress | ToCommand | ToFile | Discard


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that mail is taken for.

    Attributes:
        path: As the client named it, with our domain if it named none.
        actions: What is to be done; at least one, none twice.
        original: ``type;address`` of ORCPT (RFC 3461 section 4.2), empty if not given.
        notify: What the sender wants to hear (section 4.1), empty if not said.
    """

    path: Path
    actions: tuple[Action, ...]
    original: str = ""
    notify: tuple[str, ...] = ()

    @property
    def mailboxes(self) -> tuple[ToMailbox, ...]:
        """The mailboxes it goes to, which can be delivered to at once."""
        return tuple(each for each in self.actions if isinstance(each, ToMailbox))

    @property
    def others(self) -> tuple[ToAddress | ToCommand | ToFile, ...]:
        """What has to go through the queue."""
        kinds = ToAddress | ToCommand | ToFile
        return tuple(each for each in self.actions if isinstance(each, kinds))


def has_owner(action: Action) -> bool:
    """Whether reports go to a list's owner: RFC 3461 section 5.2.7.1."""
    rewritten = isinstance(action, ToAddress) and action.rewritten
    return action.sender is not None and not rewritten


def shown(action: Action) -> str:
    """An action in a few words, for people."""
    match action:
        case ToMailbox():
            return f"{action.account.name}: {action.folder}"
        case ToAddress(later=True):
            return f"{action.path}, to be routed in the queue"
        case ToAddress():
            return f"<{action.path}>"
        case ToCommand():
            return f"|{action.line} as {action.rights.name}"
        case ToFile():
            return f"{action.path} as {action.rights.name}"
        case Discard():
            return "nowhere"


def source(action: Action) -> str:
    """The file and line that asked for an action: ``/etc/aliases:3``; or empty."""
    for reason in reversed(action.why):
        if reason.file:
            return f"{reason.file}:{reason.line}" if reason.line else reason.file
    return ""


def as_waiting(action: Action, recipient: Path, parent: int = -1) -> Waiting:
    """An action as a recipient that waits in the queue; its number is to be set.

    Args:
        action: Any but ``Discard``.
        recipient: Whose action it is.
        parent: Number of the recipient that was expanded to it.
    """
    address, order, via = str(recipient), "", ""
    match action:
        case ToMailbox():
            relay, destination = LOCAL, ""
            order = _order(action.account, folder=action.folder)
        case ToAddress(later=True):
            relay, destination, address = LOCAL, "", str(action.path)
        case ToAddress():
            relay, destination = SMTP, action.path.domain.lower()
            address = str(action.path)
            # In UTF-8 it would ask of the next host what the message does not.
            via = str(recipient) if action.forwarded and recipient.is_ascii else ""
        case ToCommand():
            relay, destination = COMMAND, action.rights.name
            order = _order(
                action.rights,
                command=action.line,
                detail=action.detail,
                user=action.user,
                source=source(action),
            )
        case ToFile():
            relay, destination = FILE, action.path
            order = _order(
                action.rights,
                file=action.path,
                user=action.user,
                source=source(action),
            )
        case Discard():
            raise ValueError("nothing waits for what is discarded")
    return Waiting(
        -1,
        address,
        relay,
        destination,
        parent=parent,
        sender=None if action.sender is None else str(action.sender),
        order=order,
        via=via,
    )


def _order(rights: Account, **what: str) -> str:
    order: dict[str, Any] = {"account": rights.name, **what}
    if rights.location == "":  # no user of ours: an owner of files
        order |= {"uid": rights.uid, "gid": rights.gid, "groups": rights.groups}
        order["home"] = rights.home
    return json.dumps(order, separators=(",", ":"))


def as_action(
    waiting: Waiting, account: Callable[[str], Account | None]
) -> ToMailbox | ToCommand | ToFile | None:
    """What a waiting recipient's order asks for; None if it has none.

    Args:
        waiting: The recipient.
        account: The account of a user's name, None if there is none.

    Raises:
        Strange: It is no order, or its user is no more.
    """
    if not waiting.order:
        return None
    sender = path_of(waiting.sender) if waiting.sender else None
    try:
        order = json.loads(waiting.order)
        rights = _rights(order, account)
        why = (Reason(waiting.relay, "from the queue", order.get("source", "")),)
        if "folder" in order:
            return ToMailbox(rights, order["folder"], sender, why)
        user = order["user"]
        if "command" in order:
            line, detail = order["command"], order["detail"]
            return ToCommand(line, rights, detail, user, sender, why)
        return ToFile(order["file"], rights, user, sender, why)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Strange(f"an order that cannot be understood: {error}") from error


def _rights(order: dict[str, Any], account: Callable[[str], Account | None]) -> Account:
    name = order["account"]
    if "uid" in order:
        groups = tuple(order["groups"])
        return Account(name, order["home"], "", order["uid"], order["gid"], groups)
    found = account(name)
    if found is None:
        raise Strange(f"{name} is no user any more")
    return found

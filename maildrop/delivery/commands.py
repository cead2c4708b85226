r"""Commands: mail given to a program, with the rights of whoever asked for it.

In this file:
    Commands       runs them: the relay ``command`` of the queue
    environment    what a command is told in its environment
    words          a command line as arguments, or None for the shell
    status         what an end of a command means (sysexits(3))

``child`` starts a program and waits for it; what is here decides.

A command whose first word is a path and that holds nothing but plain letters is started
as it is, without a shell; any other is given to ``/bin/sh -c``, as local(8) does.  It
reads the message with LF line ends, a From_ line, Return-Path and Delivered-To before
it, and finds in its environment what sendmail and Postfix put there:

    HOME USER LOGNAME SHELL PATH                    whose rights it has
    SENDER RECIPIENT LOCAL DOMAIN EXTENSION         the envelope; no SENDER is <>
    ORIGINAL_RECIPIENT                              what the first sender wrote
    CLIENT_ADDRESS CLIENT_HELO CLIENT_PROTOCOL      how the message came to us

What its end means: 0, it has the message; 71, 74, 75, a signal, too much time, a
program that is not there, it is tried again; anything else, the message goes back.
Output of a command that fails goes into the report; if it begins with a status code
(RFC 3463) of the same class, that one counts.

Limits: commands at work (threads), those of one user, time, octets of output.

Security: the sender chooses the values in the environment, so of these only letters are
left that mean nothing to a shell.  Nothing runs as root, and nothing with rights that
we cannot give up for others.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from maildrop.delivery.actions import Strange, ToCommand, as_action
from maildrop.delivery.child import Children, Ending
from maildrop.delivery.written import written
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.queue.entry import Entry, Kind, Result, Status, Waiting
from maildrop.queue.relay import Attempt, Job
from maildrop.smtp.wire.path import path_of

_PLAIN: Final = re.compile(r"/[A-Za-z0-9!@%_=+:,./ \t-]*")
#: What is left of the sender's words: as Postfix' command_expansion_filter.
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9!@%_=+:,./-]")
_CODE: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s+(.*)")
_RECEIVED: Final = re.compile(
    rb"(?:\A|\n)Received: from (\S+)(?: \(\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]\))?"
    rb"(?:\r?\n[ \t]|[^\r\n])*? with (\S+)",
)
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
#: Letters of output in a report.
_TEXT_MAX: Final = 1000

#: sysexits(3): status codes of RFC 3463 (those Postfix gives them), and for people.
_EXITS: Final[Mapping[int, tuple[str, str]]] = {
    64: ("5.3.0", "it was called wrongly"),
    65: ("5.6.0", "it does not like the message"),
    66: ("5.3.0", "it cannot open its input"),
    67: ("5.1.1", "it knows no such user"),
    68: ("5.1.2", "it knows no such host"),
    69: ("5.3.0", "it is not available"),
    70: ("5.3.0", "it has an error"),
    71: ("4.3.0", "the system has an error"),
    72: ("5.3.0", "a file of the system is missing"),
    73: ("5.2.0", "it cannot make a file"),
    74: ("4.3.0", "it cannot read or write"),
    75: ("4.3.0", "it wants to be called again later"),
    76: ("5.5.0", "the other side was not understood"),
    77: ("5.7.0", "it is not allowed"),
    78: ("5.3.5", "its configuration has an error"),
    126: ("4.3.0", "the program cannot be run"),
    127: ("4.3.0", "there is no such program"),
}


def words(line: str) -> list[str] | None:
    """The arguments of a command line; None if it is for the shell."""
    return line.split() if _PLAIN.fullmatch(line) else None


def environment(
    action: ToCommand, waiting: Waiting, entry: Entry, sender: str, header: bytes
) -> dict[str, str]:
    """What a command is told.

    Args:
        action: The command, and whose it is.
        waiting: For whom.
        entry: The message's.
        sender: The reverse path, empty for ``<>``.
        header: The message's, as far as it is at hand: our Received field is on top.
    """
    rights = action.rights
    path = path_of(waiting.address)
    original = waiting.original.partition(";")[2] or waiting.address
    told = {
        "SENDER": sender,
        "RECIPIENT": waiting.address,
        "ORIGINAL_RECIPIENT": original,
        "LOCAL": path.local,
        "DOMAIN": path.domain,
        "EXTENSION": action.detail,
        "MAILDROP_ID": entry.id,
        **_client(header),
    }
    names = {
        "PATH": _PATH,
        "SHELL": "/bin/sh",
        "HOME": rights.home or "/",
        "USER": rights.name,
        "LOGNAME": rights.name,
    }
    return names | {
        name: _NOT_PLAIN.sub("_", value) for name, value in told.items() if value
    }


def _client(header: bytes) -> dict[str, str]:
    found = _RECEIVED.search(header)
    if found is None:
        return {}
    helo, address, protocol = (
        part.decode("ascii", "replace") if part else "" for part in found.groups()
    )
    return {
        "CLIENT_ADDRESS": address,
        "CLIENT_HELO": helo,
        "CLIENT_PROTOCOL": protocol,
    }


def status(ending: Ending, name: str) -> Status:
    """What an end of a command means.

    Args:
        ending: How it ended.
        name: The program's, for people.
    """
    if ending.code == 0:
        return Status("2.0.0", f"given to {name}")
    if ending.trouble:
        return Status("4.3.0", f"{name}: {ending.trouble}")
    if ending.code > 128:  # how shells tell of a signal
        code, text = "4.3.0", f"it was ended by signal {ending.code - 128}"
    else:
        code, text = _EXITS.get(ending.code, ("5.3.0", "it failed"))
    said = " ".join(ending.output.decode("utf-8", "replace").split())
    said = "".join(letter if letter.isprintable() else "?" for letter in said)
    own = _CODE.match(said)
    if own is not None and own[1][0] == code[0]:
        code, said = own[1], own[2]
    text = f"{name}: {text} (exit status {ending.code})"
    return Status(code, f"{text}: {said[:_TEXT_MAX]}" if said else text)


class Commands:
    """Runs commands: the relay ``command`` of the queue.

    Args:
        children: Starts programs.
        account: The account of a user's name.
        in_thread: Where commands are waited for: threads of their own, since each is
            held until its command ends.
        per_user: Commands of one user at a time.
    """

    _log = Logger()

    def __init__(
        self,
        children: Children,
        account: Callable[[str], Account | None],
        in_thread: InThread,
        *,
        per_user: int = 4,
    ) -> None:
        self._children = children
        self._account = account
        self._in_thread = in_thread
        self._per_user = per_user
        self._slots: dict[str, DeferredSemaphore] = {}

    async def relay(self, job: Job) -> Attempt:
        """Run the commands of a message, one after the other."""
        results: list[Result] = []
        for waiting in job.recipients:
            if results:
                await job.settled(results)
            found = await self._one(job, waiting)
            kind = _KINDS[found.code[0]]
            results = [Result(waiting.number, kind, found)]
        return Attempt(results)

    async def _one(self, job: Job, waiting: Waiting) -> Status:
        try:
            action = as_action(waiting, self._account)
        except Strange as error:
            return Status("4.3.5", str(error))
        if not isinstance(action, ToCommand):
            return Status("4.3.5", "no command is named")
        user = action.rights.name
        slots = self._slots.get(user)
        if slots is None:
            if len(self._slots) > 1000:
                self._slots = {
                    name: each
                    for name, each in self._slots.items()
                    if each.tokens < each.limit or each.waiting
                }
            slots = self._slots[user] = DeferredSemaphore(self._per_user)
        await slots.acquire()
        try:
            run = functools.partial(self._run, job, waiting, action)
            ending = await self._in_thread(run)
        finally:
            slots.release()
        arguments = words(action.line)
        name = (arguments or ["a command"])[0].rpartition("/")[2]
        found = status(ending, name)
        self._tell(job.entry, waiting, action, ending, found)
        return found

    def _run(self, job: Job, waiting: Waiting, action: ToCommand) -> Ending:
        content = job.content()
        try:
            octets = content.octets()
            variables = environment(
                action, waiting, job.entry, job.sender, bytes(octets[:4096])
            )
            arguments = words(action.line) or ["/bin/sh", "-c", action.line]
            pieces = written(
                octets, job.sender, waiting.address, job.entry.arrived, from_line=True
            )
            return self._children.run(arguments, action.rights, variables, pieces)
        finally:
            content.close()

    def _tell(
        self,
        entry: Entry,
        waiting: Waiting,
        action: ToCommand,
        ending: Ending,
        found: Status,
    ) -> None:
        tell = self._log.info if ending.code == 0 else self._log.warn
        tell(
            "{id}: command of {user} for {recipient} ({source}): {code} {text}",
            id=entry.id,
            user=action.rights.name,
            recipient=waiting.address,
            source=action.why[-1].file if action.why else "",
            code=found.code,
            text=found.text,
            line=action.line,
            seconds=ending.seconds,
        )


#: By the class of a status code.
_KINDS: Final[Mapping[str, Kind]] = {
    "2": Kind.DELIVERED,
    "4": Kind.WAITING,
    "5": Kind.FAILED,
}

"""A message is taken from standard input and handed in.

In this file:
    hand_in     does it
    complete    adds what is missing
    whole       what is handed in
    Handed      what was handed in
    Caller      who calls, as the system knows it
    caller      finds that out
    taken       reads a message from a stream

The message lies in the drop directory, on disk, when this returns; the server takes it
from there, at once or when it runs again.  Nothing is delivered here, so that nothing
needs rights.

Limits: octets of a message (``limits.message``), recipients (``queue.drop``).
"""

import os
import pwd
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import BinaryIO, Final, NamedTuple

from maildrop.delivery.date_time import date_time
from maildrop.durable import Disk
from maildrop.errors import LimitExceeded
from maildrop.queue.drop import Dropped, Waits, put
from maildrop.sendmail.letter import Letter, NoAddress, address_list, phrase
from maildrop.sendmail.options import Misused, Options
from maildrop.sendmail.setting import Setting
from maildrop.smtp.wire.path import Path

_DOTS: Final = (b".\n", b".\r\n")
#: Octets of a line that is read at once, where lines are looked at.
_PIECE: Final = 1 << 16


class Caller(NamedTuple):
    """Who calls.

    Attributes:
        login: The name of the account.
        name: The full name, empty if nobody knows.
    """

    login: str
    name: str


class Handed(NamedTuple):
    """What was handed in.

    Attributes:
        dropped: The envelope.
        message: Header and body.
        waits: The file.
    """

    dropped: Dropped
    message: bytes
    waits: Waits

    def id(self) -> str:
        """Under which id it will be in the queue and in the log."""
        entry_id = import_module("maildrop.queue.naming").entry_id  # most need it not
        waits = self.waits
        found: str = entry_id(waits.name, [waits.first, self.message], waits.status)
        return found


def caller(uid: int, environment: Mapping[str, str]) -> Caller:
    """Who calls: as the accounts of the system have it, the name from NAME first."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Caller(str(uid), environment.get("NAME", ""))
    login = entry.pw_name
    name = entry.pw_gecos.partition(",")[0].replace("&", login.capitalize())
    return Caller(login, environment.get("NAME") or name)


def taken(stream: BinaryIO, most: int, *, dots: bool) -> bytes:
    """A message from a stream.

    Args:
        stream: Where it comes from.
        most: Octets it may have.
        dots: A line with nothing but a dot ends it.

    Raises:
        LimitExceeded: It is longer.
    """
    if not dots:
        octets = stream.read(most + 1)
    else:
        pieces, have, whole = [], 0, True
        while have <= most and (piece := stream.readline(_PIECE)):
            if whole and piece in _DOTS:
                break
            whole = piece.endswith(b"\n")
            pieces.append(piece)
            have += len(piece)
        octets = b"".join(pieces)
    if len(octets) > most:
        raise LimitExceeded(f"the message has over {most} octets")
    return octets


def hand_in(
    options: Options,
    setting: Setting,
    who: Caller,
    stream: BinaryIO,
    disk: Disk,
    *,
    now: Callable[[], float] = time.time,
    random: Callable[[int], bytes] = os.urandom,
) -> Handed:
    """Take a message and hand it in; it is on disk when this returns.

    Raises:
        Misused: Nobody is to get it.
        NoAddress: Something is no address, or no name.
        LimitExceeded: It is too large.
        MaildropError: It cannot be written.
    """
    sender = _sender(options)
    recipients = [
        address
        for argument in options.recipients
        for address in address_list(_octets(argument))
    ]
    if not recipients and not options.extract:
        raise Misused("nobody is to get it: name recipients, or -t")
    given = _name(options, who)
    letter = Letter.read(taken(stream, setting.message, dots=options.dots))
    if options.extract:
        recipients += letter.take_recipients()
        if not recipients:
            raise Misused("nobody is to get it: no recipient in To, Cc or Bcc")
    complete(letter, setting, sender or str(Path(who.login, "")), given, now(), random)
    dropped = Dropped(
        tuple(dict.fromkeys(recipients)),
        sender,
        options.notify,
        options.ret,
        options.envelope_id,
    )
    message = whole(letter, setting)
    waits = put(setting.drop, dropped, message, disk, random)
    return Handed(dropped, message, waits)


def whole(letter: Letter, setting: Setting) -> bytes:
    """The message, as it is handed in.

    Raises:
        LimitExceeded: What was added, or its line ends, make it too long; the server
            would not take it.
    """
    message = bytes(letter)
    if len(message) > setting.message:
        raise LimitExceeded(f"the message has over {setting.message} octets")
    return message


def complete(
    letter: Letter,
    setting: Setting,
    author: str,
    name: str,
    now: float,
    random: Callable[[int], bytes],
) -> None:
    """Add what RFC 5322 section 3.6 wants and the letter lacks."""
    if not letter.has(b"message-id"):
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
        unique = f"{stamp}.{random(8).hex()}@{setting.hostname}"
        letter.add("Message-ID", f"<{unique}>")
    if not letter.has(b"from"):
        whole = author if "@" in author else f"{author}@{setting.domain}"
        letter.add("From", f"{name} <{whole}>" if name else whole)
    if not letter.has(b"date"):
        letter.add("Date", date_time(now))


def _octets(argument: str) -> bytes:
    return argument.encode("utf-8", "surrogateescape")


def _sender(options: Options) -> str | None:
    """The reverse path; None for that of whoever calls."""
    if options.sender is None:
        return None
    octets = _octets(options.sender).strip()
    if octets in {b"", b"<>"}:
        return ""
    found = address_list(octets)
    if len(found) != 1:
        raise NoAddress(f"-f is followed by one address, not by {len(found)}")
    return found[0]


def _name(options: Options, who: Caller) -> str:
    """The full name for From, as it may stand there.

    One that was asked for must do; one that the system has is left out if it does not.
    """
    if options.name is not None:
        return phrase(options.name)
    try:
        return phrase(who.name)
    except NoAddress:
        return ""

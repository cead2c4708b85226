r"""What is sent to another server, and the commands that say so.

In this file:
    Letter       a message and its envelope
    Receiver     one of its recipients
    unfit        why a server cannot take a letter at all
    unfit_for    why it cannot for one recipient
    mail         MAIL
    rcpt         RCPT

Extensions, each used where it is needed and offered:

    SIZE        RFC 1870: a message over the server's limit is not tried
    8BITMIME    RFC 6152 section 3: where it is not offered, a message with octets above
                127 is given rewritten (``message.seven_bit``); if it still has some it
                goes back
    SMTPUTF8    RFC 6531 section 3.2: where it is not offered, a domain is written in
                A-labels (RFC 5890); a local part or a header in UTF-8 goes back
    DSN         RFC 3461: RET, ENVID, NOTIFY and ORCPT are passed on as they came; an
                ORCPT of type utf-8 is written as RFC 6533 section 3 wants

Security: an address is parsed again before it stands in a command; what would end the
command early, or add a parameter, is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.errors import ProtocolSyntaxError
from maildrop.smtp.wire.capabilities import Capabilities
from maildrop.smtp.wire.path import Path, forward_path
from maildrop.smtp.wire.stuffing import Facts
from maildrop.smtp.wire.verdict import Verdict, never

_XCHAR: Final = re.compile(rb"[^!-*,-<>-~]")
_NOT_XCHAR: Final = re.compile(r"[^!-*,-<>-\[\]-~]")
_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
_NOTIFY: Final = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})
#: Octets of an ENVID, and of an ORCPT, encoded (RFC 3461 sections 4.4 and 4.2).
_ENVID_MAX: Final = 100
_ORCPT_MAX: Final = 440


@dataclass(frozen=True, slots=True)
class Receiver:
    """One recipient.

    Attributes:
        address: As it stands between angle brackets.
        notify: Of NEVER, SUCCESS, FAILURE, DELAY.
        original: ``type;address``, decoded; empty if there is none.
    """

    address: str
    notify: Sequence[str] = ()
    original: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and its envelope.

    Attributes:
        sender: As it stands between angle brackets; empty for ``<>``.
        receivers: For whom.
        facts: What is known of the message.
        smtputf8: Addresses or header may be UTF-8.
        ret: FULL or HDRS, or empty.
        envelope_id: Decoded, or empty.
    """

    sender: str
    receivers: Sequence[Receiver]
    facts: Facts
    smtputf8: bool = False
    ret: str = ""
    envelope_id: str = ""


def _path(address: str) -> Path:
    """An address, checked.

    Raises:
        ProtocolSyntaxError: It is none.
    """
    octets = f"<{address}>".encode("utf-8", "surrogateescape")
    path, end = forward_path(octets)
    if end != len(octets):
        raise ProtocolSyntaxError("more than an address", end)
    return path


def _written(path: Path, *, smtputf8: bool) -> str | None:
    """An address as a server can have it; None if it cannot."""
    if path.is_ascii or smtputf8:
        return str(path)
    if not path.local.isascii():
        return None
    try:
        return str(Path(path.local, path.domain.encode("idna").decode()))
    except UnicodeError:
        return None


def unfit(letter: Letter, offered: Capabilities) -> Verdict | None:
    """Why a server cannot take a letter at all; None if it can."""
    facts = letter.facts
    if offered.size and facts.size > offered.size:
        return never(
            "5.3.4", f"{facts.size} octets; the server takes {offered.size} at most"
        )
    if letter.smtputf8 and facts.utf8_header and not offered.smtputf8:
        return never("5.6.9", "the header needs SMTPUTF8, which is not offered")
    if facts.eight_bit and not offered.eight_bit:
        return never("5.6.3", "the message needs 8BITMIME, which is not offered")
    return _unfit_sender(letter.sender, offered) if letter.sender else None


def _unfit_sender(address: str, offered: Capabilities) -> Verdict | None:
    try:
        sender = _written(_path(address), smtputf8=offered.smtputf8)
    except ProtocolSyntaxError as error:
        return never("5.1.7", f"the sender's address is malformed: {error}")
    if sender is None:
        return never("5.6.7", "the sender's address needs SMTPUTF8, not offered here")
    return None


def unfit_for(receiver: Receiver, offered: Capabilities) -> Verdict | None:
    """Why a server cannot take a letter for one recipient; None if it can."""
    try:
        written = _written(_path(receiver.address), smtputf8=offered.smtputf8)
    except ProtocolSyntaxError as error:
        return never("5.1.3", f"the address is malformed: {error}")
    if written is None:
        return never("5.6.7", "the address needs SMTPUTF8, which is not offered")
    return None


def mail(letter: Letter, offered: Capabilities) -> bytes:
    """MAIL, for a letter that is not unfit."""
    sender = ""
    if letter.sender:
        sender = _written(_path(letter.sender), smtputf8=offered.smtputf8) or ""
    words = [f"MAIL FROM:<{sender}>".encode()]
    facts = letter.facts
    if offered.size is not None:
        words.append(b"SIZE=%d" % facts.size)
    if facts.eight_bit:
        words.append(b"BODY=8BITMIME")
    if offered.smtputf8 and _is_international(letter):
        words.append(b"SMTPUTF8")
    if offered.dsn:
        if letter.ret in {"FULL", "HDRS"}:
            words.append(b"RET=" + letter.ret.encode())
        envelope_id = xtext(letter.envelope_id.encode("utf-8", "replace"))
        known = letter.envelope_id.isascii() and letter.envelope_id.isprintable()
        if known and 0 < len(envelope_id) <= _ENVID_MAX:
            words.append(b"ENVID=" + envelope_id)
    return b" ".join(words) + b"\r\n"


def _is_international(letter: Letter) -> bool:
    """RFC 6531 section 3.4: the parameter says that something is in UTF-8.

    Header fields of MIME parts may be it too; they are not told from text, so what the
    sender said counts.
    """
    addresses = (letter.sender, *(each.address for each in letter.receivers))
    said = letter.smtputf8 and letter.facts.eight_bit
    return said or not all(map(str.isascii, addresses))


def rcpt(receiver: Receiver, offered: Capabilities) -> bytes:
    """RCPT, for a receiver that a letter is not unfit for."""
    address = _written(_path(receiver.address), smtputf8=offered.smtputf8) or ""
    words = [f"RCPT TO:<{address}>".encode()]
    if offered.dsn:
        notify = [word for word in receiver.notify if word in _NOTIFY]
        if notify:
            words.append(b"NOTIFY=" + ",".join(notify).encode())
        original = _original(receiver.original)
        if original:
            words.append(b"ORCPT=" + original)
    return b" ".join(words) + b"\r\n"


def _original(original: str) -> bytes:
    """ORCPT, encoded; nothing if it cannot be."""
    kind, _, address = original.partition(";")
    if not _TYPE.fullmatch(kind) or not address or not address.isprintable():
        return b""
    if kind.lower() != "utf-8":
        encoded = xtext(address.encode()) if address.isascii() else b""
    else:  # "+" is no QCHAR
        text = _NOT_XCHAR.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", address)
        encoded = text.encode()
    if not encoded:
        return b""
    return kind.encode() + b";" + encoded if len(encoded) <= _ORCPT_MAX else b""


def xtext(octets: bytes) -> bytes:
    """Encode with ``+2B`` and its kin (RFC 3461 section 4)."""
    return _XCHAR.sub(lambda found: b"+%02X" % found[0][0], octets)

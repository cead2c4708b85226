r"""Reports to senders: delivery status notifications, as octets.

In this file:
    Report        what is to be told, and to whom
    Told          one recipient in it
    Action        what became of a recipient, in the words of RFC 3464
    compose       the message
    action_of     the action that stands for what the queue says
    is_wanted     whether the sender wants to hear of it (NOTIFY)

Format: multipart/report (RFC 6522) of three parts.

    text/plain                        for people
    message/delivery-status           RFC 3464: fields of the message, an empty line,
                                      fields of each recipient
    message/rfc822                    the message, or
    text/rfc822-headers               its header: RET=HDRS, success, delay, or too large

With SMTPUTF8 (RFC 6533) addresses are of type ``utf-8``.  To a sender whose own address
is UTF-8, parts are message/global-delivery-status, message/global and
message/global-headers, in UTF-8.  To any other sender the report has to pass hosts that
know nothing of it: addresses have the ``\x{...}`` form, and a message with a UTF-8
header is in base64.

Rules of RFC 3834: ``Auto-Submitted: auto-replied``, In-Reply-To, and the null sender;
nobody answers to that, so reports do not answer each other.  ``reports`` has who is
told at all.

Limits: octets of a message returned whole, of a header, of what a command or a host
said.

Security: what hosts, commands and senders wrote stands in fields only without control
characters, so that it cannot begin a field of its own.
"""

import base64
import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from maildrop.delivery.date_time import date_time
from maildrop.queue.entry import Entry, Kind, Waiting

#: Octets of a header that are returned.
HEADER_MAX: Final = 1 << 16
#: Characters of what somebody said: for people, and in a field.
SAID_MAX: Final = 4000
FIELD_MAX: Final = 900
#: Lines of it for people.
LINES_MAX: Final = 40

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UTF8_NOT_PLAIN: Final = re.compile(r"[^!-*,-<>-\[\]-~]|[+=\\]")
_MESSAGE_ID: Final = re.compile(
    rb"(?:\A|\n)message-id[ \t]*:[ \t\r\n]*(<[!-;=?-~]{1,900}>)", re.IGNORECASE
)
_HEADER_END: Final = re.compile(rb"\r?\n\r?\n")


class Action(enum.Enum):
    """What became of a recipient: RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


_ACTIONS: Final = {
    Kind.WAITING: Action.DELAYED,
    Kind.FAILED: Action.FAILED,
    Kind.DELIVERED: Action.DELIVERED,
    Kind.RELAYED: Action.RELAYED,
    Kind.EXPANDED: Action.EXPANDED,
}
#: RFC 3461 section 4.1.
_ASKED_BY: Final = {Action.FAILED: "FAILURE", Action.DELAYED: "DELAY"}

#: Subject, and what is said before the recipients.
_WORDS: Final = {
    Action.FAILED: (
        "Mail not delivered",
        "Your message could not be delivered to:",
    ),
    Action.DELAYED: (
        "Mail delayed",
        "Your message could not be delivered yet; you need not send it again.\n"
        "It is tried further until {until}, to:",
    ),
    Action.DELIVERED: (
        "Mail delivered",
        "Your message was delivered to:",
    ),
    Action.RELAYED: (
        "Mail relayed",
        "Your message was handed to a host that sends no reports, for:",
    ),
    Action.EXPANDED: (
        "Mail distributed",
        "Your message was sent on to all who are meant by:",
    ),
}


def action_of(recipient: Waiting) -> Action | None:
    """The action for what became of a recipient; None if others report it."""
    return _ACTIONS.get(recipient.kind)


def is_wanted(recipient: Waiting) -> bool:
    """Whether the sender wants to hear of it: RFC 3461 sections 4.1 and 6.2.

    Without NOTIFY, of failures and delays.
    """
    action = action_of(recipient)
    if action is None:
        return False
    asked = _ASKED_BY.get(action, "SUCCESS")
    return asked in (recipient.notify or ("FAILURE", "DELAY"))


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be told, and to whom.

    Attributes:
        entry: What was sent.
        recipients: Those told of, each with an action.
        to: Whom to tell.
        hostname: Ours.
        now: Seconds since 1970 UTC.
        until: When a message that waits is given up, seconds since 1970 UTC.
        whole: Octets up to which a message that failed is returned whole.
        double: It tells of a message without a sender, to somebody else.
    """

    entry: Entry
    recipients: Sequence[Waiting]
    to: str
    hostname: str
    now: float
    until: float = 0.0
    whole: int = 50_000
    double: bool = False

    @property
    def utf8(self) -> bool:
        """Whether the report needs SMTPUTF8: where it goes does."""
        return not self.to.isascii()

    @property
    def actions(self) -> list[Action]:
        """The actions that there are, the worst first."""
        found = {action_of(each) for each in self.recipients}
        return [each for each in Action if each in found]

    @property
    def returns_all(self) -> bool:
        """Whether the message is returned whole: RFC 3461 sections 4.3 and 6.2."""
        options, size = self.entry.options, self.entry.size
        failed = Action.FAILED in self.actions
        return failed and options.ret != "HDRS" and size <= self.whole


def compose(report: Report, octets: bytes) -> bytes:
    """The message, CRLF line ends.

    Args:
        report: What is to be told.
        octets: The message, or its beginning if ``returns_all`` says no.
    """
    header = _header(octets)
    returned = octets if report.returns_all else header
    parts = [
        _text_part(_text(report)),
        _status_part(report, _status(report)),
        _returned_part(report, returned, header),
    ]
    boundary = _boundary(report, parts)
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return _own_header(report, header, boundary) + body + b"--%b--\r\n" % boundary


# -- the report's own header


def _own_header(report: Report, header: bytes, boundary: bytes) -> bytes:
    entry, first = report.entry, report.recipients[0].number
    action = report.actions[0]
    subject = _WORDS[action][0]
    if report.double:
        subject += " (no sender to tell)"
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{report.hostname}>",
        f"To: <{_plain(report.to)}>",
        f"Subject: {subject}",
        f"Date: {date_time(report.now)}",
        f"Message-ID: <{entry.id}.{first}.{action.value}@{report.hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type="
        + ("global-delivery-status" if report.utf8 else "delivery-status")
        + f';\r\n\tboundary="{boundary.decode()}"',
    ]
    answered = _MESSAGE_ID.search(header)
    if answered is not None:
        lines.insert(5, f"In-Reply-To: {answered[1].decode()}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _boundary(report: Report, parts: Sequence[bytes]) -> bytes:
    number = 0
    while True:
        found = b"=_%b.%d" % (report.entry.id.encode(), number)
        if not any(found in part for part in parts):
            return found
        number += 1


def _header(octets: bytes) -> bytes:
    """The header, cut at the end of a line if it is too long."""
    end = _HEADER_END.search(octets, 0, HEADER_MAX)
    if end is not None:
        return octets[: end.start()] + b"\r\n"
    if len(octets) <= HEADER_MAX:
        return octets
    return octets[: octets.rfind(b"\n", 0, HEADER_MAX) + 1]


# -- for people


def _text(report: Report) -> str:
    lines = [f"This is the mail system at {report.hostname}.", ""]
    if report.double:
        lines += ["This message has no sender that could be told.", ""]
    for action in report.actions:
        lines += _WORDS[action][1].format(until=date_time(report.until)).split("\n")
        lines.append("")
        for each in report.recipients:
            if action_of(each) is action:
                lines += [*_told(each, action), ""]
    lines.append(f"Id of the message in our log: {report.entry.id}")
    return "\r\n".join(lines) + "\r\n"


def _told(recipient: Waiting, action: Action) -> Iterator[str]:
    yield f"  <{_plain(recipient.address)}>"
    meant = recipient.original.partition(";")[2]
    if meant and meant.lower() != recipient.address.lower():
        yield f"  (you wrote to <{_plain(meant)}>)"
    status = recipient.status
    if status is None or action not in {Action.FAILED, Action.DELAYED}:
        return
    if status.remote:
        yield f"  {_plain(status.remote)} said:"
    said = status.text[:SAID_MAX].splitlines()
    for line in said[:LINES_MAX]:
        # Lines of people are no longer than these; RFC 5322 section 2.1.1: 998 octets.
        plain = _plain(line)
        for at in range(0, len(plain), 200):
            yield "    " + plain[at : at + 200]
    if len(said) > LINES_MAX or len(status.text) > SAID_MAX:
        yield "    ..."


def _text_part(text: str) -> bytes:
    octets = text.encode()
    if octets.isascii():
        return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + octets
    return (
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + _base64(octets)
    )


# -- for programs


def _status(report: Report) -> str:
    entry = report.entry
    lines = [f"Reporting-MTA: dns; {report.hostname}"]
    if entry.options.envelope_id:
        lines.append(f"Original-Envelope-Id: {_field(entry.options.envelope_id)}")
    lines.append(f"Arrival-Date: {date_time(entry.arrived)}")
    for each in report.recipients:
        lines += ["", *_fields(report, each)]
    return "\r\n".join(lines) + "\r\n"


def _fields(report: Report, recipient: Waiting) -> Iterator[str]:
    """RFC 3464 section 2.3, RFC 6533 section 3."""
    action = action_of(recipient)
    if action is None:
        raise ValueError(f"{recipient.kind} is nothing to report")
    kind, meant, address = recipient.original.partition(";")
    if meant:
        yield f"Original-Recipient: {_address(kind, address, utf8=report.utf8)}"
    final = "rfc822" if recipient.address.isascii() else "utf-8"
    shown = _address(final, recipient.address, utf8=report.utf8)
    yield f"Final-Recipient: {shown}"
    yield f"Action: {action.value}"
    status = recipient.status
    yield f"Status: {_code(recipient, action)}"
    if status is not None and status.remote:
        yield f"Remote-MTA: dns; {_field(status.remote)}"
    failed = action in {Action.FAILED, Action.DELAYED}
    if status is not None and status.text and (failed or status.remote):
        kind = "smtp" if status.remote else "x-maildrop"
        said = _field(" ".join(status.text[:SAID_MAX].split()), most=FIELD_MAX)
        yield f"Diagnostic-Code: {kind}; {said}"
    if recipient.tries:
        yield f"Last-Attempt-Date: {date_time(report.now)}"
    yield f"Final-Log-ID: {report.entry.id}"
    if action is Action.DELAYED:
        yield f"Will-Retry-Until: {date_time(report.until)}"


def _code(recipient: Waiting, action: Action) -> str:
    """The status, of the class that fits the action (RFC 3464 section 2.3.4)."""
    wanted = {Action.FAILED: "5", Action.DELAYED: "4"}.get(action, "2")
    code = recipient.status.code if recipient.status is not None else ""
    if not re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", code):
        return f"{wanted}.0.0"
    if code[0] == wanted or (wanted == "5" and code[0] == "4"):
        return code  # a message given up failed for what was temporary
    return wanted + code[1:] if wanted != "2" else "2.0.0"


def _address(kind: str, address: str, *, utf8: bool) -> str:
    kind, address = _field(kind), _CONTROL.sub("?", address)
    if address.isascii() and kind.lower() != "utf-8":
        return f"{kind}; {address}"
    if utf8:
        return f"utf-8; {address}"
    return f"utf-8; {_UTF8_NOT_PLAIN.sub(_escaped, address)}"


def _escaped(found: re.Match[str]) -> str:
    r"""``\x{...}``: RFC 6533 section 3, EmbeddedUnicodeChar."""
    return f"\\x{{{ord(found[0]):02X}}}"


def _status_part(report: Report, status: str) -> bytes:
    if report.utf8:
        return (
            b"Content-Type: message/global-delivery-status\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + status.encode()
        )
    octets = status.encode("ascii", "replace")
    return b"Content-Type: message/delivery-status\r\n\r\n" + octets


# -- the message


def _returned_part(report: Report, octets: bytes, header: bytes) -> bytes:
    whole, is_global = report.returns_all, _is_global(header)
    if is_global:
        kind = b"message/global" if whole else b"message/global-headers"
    else:
        kind = b"message/rfc822" if whole else b"text/rfc822-headers"
    if octets.isascii():
        encoding, encoded = b"", octets
    elif report.utf8 or not is_global:
        encoding, encoded = b"8bit", octets
    else:
        encoding, encoded = b"base64", _base64(octets)
    field = b"Content-Transfer-Encoding: %b\r\n" % encoding if encoding else b""
    end = b"" if encoded.endswith(b"\r\n") else b"\r\n"
    return b"Content-Type: %b\r\n%b\r\n%b%b" % (kind, field, encoded, end)


def _is_global(header: bytes) -> bool:
    """Whether a header is one of RFC 6532: UTF-8, and not some older 8-bit mess."""
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)


def _field(text: str, most: int = 400) -> str:
    """Text that can stand in a field of RFC 3464."""
    return _CONTROL.sub(" ", text)[:most].encode("ascii", "replace").decode()

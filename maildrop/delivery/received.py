r"""Trace fields: what delivery puts before a message.

In this file:
    Trace          how a message came
    protocol       the word after "with"
    received       the Received field
    received_here  the Received field of what a program of this host hands in
    head           everything for one recipient: Return-Path, Delivered-To, Received
    message_id     the Message-ID
    hops           how many Received fields a header has
    delivered_to   the addresses that a header says the message was delivered to
    gap            the empty line that a message without a header needs before it

Format: RFC 5321 section 4.4; the words after "with" are those of RFC 3848 and RFC 6531
section 4.3.  Delivered-To: RFC 9228.

Security: what a client said of itself stands in the field only as far as it consists of
letters, digits and ``.:_[]-``, so it cannot end the field or pose as a comment.
"""

import mmap
import re
from dataclasses import dataclass
from typing import Final

from maildrop.delivery.date_time import date_time
from maildrop.smtp.wire.path import Path

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
#: With a LF first, to be found quickly: it is put before the first line, too.
_RECEIVED: Final = re.compile(rb"\n[Rr][Ee][Cc][Ee][Ii][Vv][Ee][Dd][ \t]*:")
_DELIVERED_TO: Final = re.compile(
    rb"\n[Dd][Ee][Ll][Ii][Vv][Ee][Rr][Ee][Dd]-[Tt][Oo][ \t]*:[ \t]*([^\r\n]*)"
)


_ID: Final = re.compile(rb"<[^<>\s]+>")
#: Octets in which the Message-ID is looked for.
_LOOKED_AT: Final = 1 << 14
#: A header field (RFC 5322 section 2.2).
_FIELD: Final = re.compile(rb"(?:\A|\n)[!-9;-~]{1,998}[ \t]*:")


@dataclass(frozen=True, slots=True)
class Trace:
    """How a message came.

    Attributes:
        id: Its id in the log.
        client_name: What the client called itself.
        client_address: Its IP address, "unix" for a UNIX socket, or nothing.
        protocol: See ``protocol``.
        encryption: "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384", or nothing.
        hostname: Ours.
        seconds: When, in seconds since 1970 UTC.
    """

    id: str
    client_name: str
    client_address: str
    protocol: str
    encryption: str
    hostname: str
    seconds: float


def protocol(
    *, lmtp: bool, extended: bool, encrypted: bool, authenticated: bool, utf8: bool
) -> str:
    """The word after "with": ``ESMTPSA`` and its kin."""
    if utf8:
        base = "UTF8LMTP" if lmtp else "UTF8SMTP"
    elif lmtp:
        base = "LMTP"
    else:
        base = "ESMTP" if extended else "SMTP"
    if base == "SMTP":
        return base  # RFC 3848 has no SMTPS: without EHLO there is neither TLS nor AUTH
    return base + "S" * encrypted + "A" * authenticated


def _literal(address: str) -> str:
    """RFC 5321 section 4.1.3."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def received(trace: Trace, recipient: Path | None) -> bytes:
    """The Received field.

    Args:
        trace: How the message came.
        recipient: Named if it is the only one; several are nobody else's business.
    """
    source = _NOT_PLAIN.sub("?", trace.client_name) or "unknown"
    if trace.client_address and trace.client_address != "unix":
        source += f" ({_literal(trace.client_address)})"
    using = f"\r\n\t(using {trace.encryption})" if trace.encryption else ""
    whom = f"\r\n\tfor <{recipient}>" if recipient is not None else ""
    return (
        f"Received: from {source}{using}\r\n\tby {trace.hostname} with {trace.protocol}"
        f" id {trace.id}{whom};\r\n\t{date_time(trace.seconds)}\r\n"
    ).encode()


def received_here(
    trace_id: str,
    uid: int,
    hostname: str,
    seconds: float,
    recipient: Path | None,
    protocol: str = "local",
) -> bytes:
    """The Received field of what a program of this host hands in.

    Args:
        trace_id: Its id in the log.
        uid: The account that the program has.
        hostname: Ours.
        seconds: When, in seconds since 1970 UTC.
        recipient: Named if it is the only one.
        protocol: The word after "with"; nothing is said of ``local``.
    """
    using = "" if protocol == "local" else f" with {protocol}"
    whom = f" for <{recipient}>" if recipient is not None else ""
    return (
        f"Received: by {hostname} (by uid {uid}){using}\r\n\tid {trace_id}"
        f"{whom};\r\n\t{date_time(seconds)}\r\n"
    ).encode()


def head(trace_field: bytes, sender: Path | None, recipient: Path) -> bytes:
    """Return-Path, Delivered-To and Received, in this order.

    Args:
        trace_field: What ``received`` gave.
        sender: The reverse path.
        recipient: Whose copy it is.
    """
    return_path = "" if sender is None else str(sender)
    return (
        f"Return-Path: <{return_path}>\r\nDelivered-To: {recipient}\r\n".encode()
        + trace_field
    )


def gap(header: bytes) -> bytes:
    """What must stand between our fields and a message that was typed without any.

    Args:
        header: The message up to its first empty line.
    """
    return b"" if not header or _FIELD.search(header) else b"\r\n"


def hops(header: bytes) -> int:
    """How many Received fields there are."""
    return len(_RECEIVED.findall(b"\n" + header))


def message_id(octets: bytes | mmap.mmap) -> str:
    """The Message-ID (RFC 5322 section 3.6.4) with its brackets; empty if not found.

    Args:
        octets: The message; only its first octets are looked at.
    """
    begin = octets[:_LOOKED_AT]
    end = begin.find(b"\r\n\r\n")
    at = (b"\n" + begin[: end if end >= 0 else None].lower()).find(b"\nmessage-id:")
    found = _ID.search(begin, at, at + 1000) if at >= 0 else None
    return found[0].decode("utf-8", "replace") if found is not None else ""


def delivered_to(header: bytes) -> frozenset[str]:
    """The addresses of all Delivered-To fields, in lower case."""
    return frozenset(
        value.decode("utf-8", "replace").strip().lower()
        for value in _DELIVERED_TO.findall(b"\n" + header)
    )

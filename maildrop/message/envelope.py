"""ENVELOPE: the fields of a header that every client's list of messages shows.

In this file:
    envelope    the values of a header -> IMAP octets

Response syntax: RFC 3501 section 7.4.2 and section 9, "envelope".  Of a text field that
stands there twice the last counts; address fields that do count as one list.  Without
Sender or Reply-To, From stands in.
"""

from maildrop.message.addresses import address_structures
from maildrop.message.header import unfolded
from maildrop.message.limits import DEFAULT, Limits
from maildrop.message.strings import NIL, human, nstring
from maildrop.message.structure import Values


def envelope(values: Values, limits: Limits = DEFAULT) -> bytes:
    """The parenthesized ENVELOPE.

    Args:
        values: What ``header.collect`` found, at least the ten fields if there.
        limits: How many addresses to show.
    """
    limit = limits.addresses
    sender = _addresses(values, b"from", limit)
    subject = values.get(b"subject")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(values, b"date"),
        NIL if subject is None else human(subject[-1]),
        sender,
        _addresses(values, b"sender", limit, sender),
        _addresses(values, b"reply-to", limit, sender),
        _addresses(values, b"to", limit),
        _addresses(values, b"cc", limit),
        _addresses(values, b"bcc", limit),
        _text(values, b"in-reply-to"),
        _text(values, b"message-id"),
    )


def _text(values: Values, name: bytes) -> bytes:
    found = values.get(name)
    return NIL if found is None else nstring(unfolded(found[-1]))


def _addresses(
    values: Values, name: bytes, limit: int, otherwise: bytes = NIL
) -> bytes:
    found = values.get(name)
    if found is None:
        return otherwise
    shown = address_structures(found, limit)
    return otherwise if shown is NIL else shown

r"""Status responses and their codes (RFC 3501 section 7.1), and continuations.

In this file:
    ok, no, bad       the end of a command, or with ``UNTAGGED`` news of the server
    bye, preauth      untagged only
    continuation      "+": go on
    permanent_flags, uid_next, uid_validity, unseen, capability,
    bad_charset, append_uid, copy_uid
                      the codes that carry something; the others are their names

The responses that belong to one command are in its module: ``select.exists``,
``select.flags``, ``expunge.response``, ``fetch.response``, ``search.response``,
``status.response``, ``list_.response``, ``lsub.response``, ``capability.response``,
``namespace.response``, ``id_.response``, ``enable.enabled``.

Grammar:

    response-tagged = tag SP resp-cond-state CRLF
    resp-cond-state = ("OK" / "NO" / "BAD") SP ["[" code "]" SP] text

Security: the text is put on the wire as it is; it is the server's own, one line of
ASCII, never a client's octets.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from maildrop.message.sequence_set import compact

#: Instead of a tag.
UNTAGGED: Final = b"*"


def ok(tag: bytes, text: bytes, code: bytes = b"") -> bytes:
    """OK (section 7.1.1)."""
    return _condition(tag, b"OK", text, code)


def no(tag: bytes, text: bytes, code: bytes = b"") -> bytes:
    """NO (section 7.1.2)."""
    return _condition(tag, b"NO", text, code)


def bad(tag: bytes | None, text: bytes, code: bytes = b"") -> bytes:
    """BAD (section 7.1.3); untagged when the tag could not be read (None)."""
    return _condition(tag or UNTAGGED, b"BAD", text, code)


def preauth(text: bytes, code: bytes = b"") -> bytes:
    """PREAUTH (section 7.1.4): the greeting of a session that is logged in."""
    return _condition(UNTAGGED, b"PREAUTH", text, code)


def bye(text: bytes, code: bytes = b"") -> bytes:
    """BYE (section 7.1.5): the connection is about to be closed."""
    return _condition(UNTAGGED, b"BYE", text, code)


def _condition(tag: bytes, condition: bytes, text: bytes, code: bytes) -> bytes:
    if code:
        return b"%b %b [%b] %b\r\n" % (tag, condition, code, text)
    return b"%b %b %b\r\n" % (tag, condition, text)


def continuation(text: bytes = b"") -> bytes:
    """The line that asks for a literal, or tells that IDLE has begun (section 7.5).

    The space is there without a text too: the grammar wants it.  A SASL challenge is
    ``authenticate.challenge``.
    """
    return b"+ %b\r\n" % text


# -- codes


def permanent_flags(names: Iterable[bytes]) -> bytes:
    r"""PERMANENTFLAGS: what STORE can change for good; ``\*`` allows new keywords."""
    return b"PERMANENTFLAGS (%b)" % b" ".join(names)


def uid_validity(value: int) -> bytes:
    """UIDVALIDITY of the mailbox."""
    return b"UIDVALIDITY %d" % value


def uid_next(value: int) -> bytes:
    """UIDNEXT: the next message gets this UID or a larger one."""
    return b"UIDNEXT %d" % value


def unseen(number: int) -> bytes:
    r"""UNSEEN: the first message without ``\Seen``, by sequence number."""
    return b"UNSEEN %d" % number


def capability(names: Iterable[bytes]) -> bytes:
    """CAPABILITY, told without being asked."""
    return b"CAPABILITY %b" % b" ".join(names)


def bad_charset(names: Iterable[bytes]) -> bytes:
    """BADCHARSET: the charsets that are known."""
    return b"BADCHARSET (%b)" % b" ".join(names)


def append_uid(uid_validity: int, uids: Sequence[int]) -> bytes:
    """APPENDUID (RFC 4315 section 3): the UIDs that appended messages got.

    Args:
        uid_validity: Of the mailbox.
        uids: One for each message, in order; not empty.
    """
    return b"APPENDUID %d %b" % (uid_validity, compact(uids))


def copy_uid(uid_validity: int, source: Sequence[int], target: Sequence[int]) -> bytes:
    """COPYUID (RFC 4315 section 3): the UIDs that copies got.

    Args:
        uid_validity: Of the target mailbox.
        source: UIDs copied; not empty (the code is left out when nothing was copied).
        target: What each became, in the same order.
    """
    return b"COPYUID %d %b %b" % (uid_validity, compact(source), compact(target))

r"""Header fields with which other servers keep UIDs in an mbox.

In this file:
    Base      what the first message says of the mailbox
    Fields    what a message says of itself
    fields    read them
    base      likewise

Format:

    X-IMAPbase: uidvalidity SP last-uid *(SP keyword)    ; in the first message
    X-IMAP: the same                                     ; UW-IMAP, Pine: the first
                                                         ; message holds nothing else
    X-UID: uid
    X-UIDL: unique id of POP3                            ; qpopper

Long lists of keywords are folded.

Security: a message's sender may have written any of them.  Only the first of each
counts, a UID only if it is above the one before and not above ``last-uid`` (which no
sender can set but in the first message ever), and a UIDL only if POP3 allows it.
"""

import re
from dataclasses import dataclass
from typing import Final

from maildrop.storage.index.uid_validity import NUMBER_MAX

_BASE: Final = re.compile(
    rb"\n(X-IMAPbase|X-IMAP):[ \t]*(\d{1,10})[ \t]+(\d{1,10})"
    rb"([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE,
)
_UID: Final = re.compile(rb"\nX-UID:[ \t]*(\d{1,10})[ \t\r]*(?=\n|\Z)", re.IGNORECASE)
_UIDL: Final = re.compile(
    rb"\nX-UIDL:[ \t]*([!-~]{1,70})[ \t\r]*(?=\n|\Z)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Base:
    """What the first message says of the mailbox.

    Attributes:
        uid_validity: RFC 3501 section 2.3.1.1.
        last_uid: Given away.
        keywords: Known in the mailbox, whether a message has them or not.
    """

    uid_validity: int
    last_uid: int
    keywords: tuple[str, ...] = ()

    def field(self, name: bytes = b"X-IMAPbase") -> bytes:
        """The field, folded where it is long."""
        words = [word.encode("ascii") for word in self.keywords]
        lines = [b"%b: %d %010d" % (name, self.uid_validity, self.last_uid)]
        for word in words:
            if len(lines[-1]) + len(word) > _LINE:
                lines.append(b"\t" + word)
            else:
                lines[-1] += b" " + word
        return b"\n".join(lines) + b"\n"


#: Octets after which a list of keywords goes on in the next line.
_LINE: Final = 70


@dataclass(frozen=True, slots=True)
class Fields:
    """What a message says of itself.

    Attributes:
        uid: 0 if it says none.
        uidl: Empty if it says none.
    """

    uid: int = 0
    uidl: bytes = b""


def base(header: bytes) -> Base | None:
    """UIDVALIDITY and keywords, from the header of the first message."""
    found = _BASE.search(b"\n" + header)
    if found is None:
        return None
    validity, last = int(found[2]), int(found[3])
    if not 0 < validity <= NUMBER_MAX or last >= NUMBER_MAX:
        return None
    words = found[4].decode("ascii", "replace").split()
    return Base(validity, last, tuple(words))


def fields(header: bytes) -> Fields:
    """UID and unique id, from the header of a message."""
    uid = _UID.search(b"\n" + header)
    uidl = _UIDL.search(b"\n" + header)
    number = int(uid[1]) if uid else 0
    return Fields(
        number if number < NUMBER_MAX else 0, uidl[1] if uidl is not None else b""
    )

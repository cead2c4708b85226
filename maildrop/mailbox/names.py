"""Names of mailboxes: which there may be, and how clients write them.

In this file:
    check        refuses a name that no mailbox may have
    Namespace    from what a client writes to a name, and back

Inside maildrop a name is text whose levels are joined by "/".  A client sees another
separator if the namespace has one, and a prefix before every name but INBOX.  Where the
separator is not "/", the two change places, so that each name is written in one way.

Limits: ``LEVEL_MAX`` octets a level, ``NAME_MAX`` octets a name, both as UTF-8.

Security: names come from clients and become names of files.  Refused are empty levels
(and so absolute names), "." and "..", a leading "~", control characters and lone
surrogates.  A store may refuse more.
"""

from dataclasses import dataclass
from typing import Final

from maildrop.errors import MailboxNameInvalid, MailboxNotFound

#: Octets of a level: what file systems allow for a name.
LEVEL_MAX: Final = 255
#: Octets of a whole name.
NAME_MAX: Final = 1000

INBOX: Final = "INBOX"
SEPARATOR: Final = "/"

_FORBIDDEN: Final = frozenset(map(chr, (*range(32), *range(127, 160), 0x2028, 0x2029)))
_DOTS: Final = frozenset({".", ".."})


def check(name: str) -> None:
    """Refuse a name that no mailbox may have.

    Args:
        name: Levels joined by "/".

    Raises:
        MailboxNameInvalid: It is such a name.
    """
    if name.startswith("~"):
        raise MailboxNameInvalid("a name that begins with a tilde")
    if not _FORBIDDEN.isdisjoint(name):
        raise MailboxNameInvalid("a name with control characters")
    try:
        octets = name.encode()
    except UnicodeEncodeError:
        raise MailboxNameInvalid("a name with lone surrogates") from None
    if len(octets) > NAME_MAX:
        raise MailboxNameInvalid(f"a name of more than {NAME_MAX} octets")
    for level in octets.split(b"/"):
        if not level:
            raise MailboxNameInvalid("a name with an empty level")
        if len(level) > LEVEL_MAX:
            raise MailboxNameInvalid(f"a level of more than {LEVEL_MAX} octets")
    if not _DOTS.isdisjoint(name.split(SEPARATOR)):
        raise MailboxNameInvalid("a level that is . or ..")


@dataclass(frozen=True, slots=True)
class Namespace:
    """How the names of a user's own mailboxes are written (RFC 2342).

    Attributes:
        prefix: What every name but INBOX begins with, separator included, such as
            ``INBOX.``; empty for none.
        separator: One ASCII character between levels.
    """

    prefix: str = ""
    separator: str = SEPARATOR

    @classmethod
    def of(cls, text: str) -> "Namespace":
        """From prefix and separator in one: ``INBOX.``, or just ``.``."""
        return cls(text if len(text) > 1 else "", text[-1:])

    def name(self, written: str) -> str:
        """The name of a mailbox from what a client wrote.

        INBOX is INBOX in any case, as a first level too (RFC 3501 section 5.1).

        Raises:
            MailboxNameInvalid: No mailbox may have it.
            MailboxNotFound: It is outside of the namespace.
        """
        first, mark, rest = written.partition(self.separator)
        if first.upper() == INBOX:
            written = INBOX + mark + rest
        if self.prefix and written != INBOX:
            if not written.startswith(self.prefix):
                raise MailboxNotFound("a name outside of the namespace")
            written = written[len(self.prefix) :]
        name = self._exchanged(written)
        check(name)
        return name

    def written(self, name: str) -> str:
        """How a client sees a name."""
        written = self._exchanged(name)
        return written if name == INBOX else self.prefix + written

    def _exchanged(self, text: str) -> str:
        """``text`` with "/" and the separator in each other's place."""
        if self.separator == SEPARATOR:
            return text
        exchange = {ord(self.separator): SEPARATOR, ord(SEPARATOR): self.separator}
        return text.translate(exchange)

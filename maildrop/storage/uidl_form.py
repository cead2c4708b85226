r"""POP3 unique ids made of other numbers (RFC 1939 section 7), as other servers do.

In this file:
    UidlForm    how they are made
    unique_ids  those of all messages of a table
    NOTE        the ledger's note that keeps the form

A mailbox that another server served before goes on with that server's form, for new
messages too: so clients download nothing again, neither now nor after going back.

Form, as Dovecot's ``pop3_uidl_format`` has it:

    form     = *(text / "%" ["0" width] ["X"] letter / "%%")
    letter   = "u"        ; the UID, to which ``shift`` is added
             / "v"        ; ``validity``
    width    = 1*2DIGIT   ; filled up with zeros
    "X"                   ; hexadecimal, small letters

The note holds shift, validity and form, with a space between.

Errors: ``BadForm``.

Security: a form comes from a control file or an administrator; ids that POP3 does not
allow (more than 70 characters, blanks) are no forms.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from maildrop.errors import PermanentError
from maildrop.storage.index.table import IndexTable

NOTE: Final = b"uidl"
#: RFC 1939 section 7: one to 70 characters from %x21 to %x7E.
LENGTH_MAX: Final = 70
_PART: Final = re.compile(rb"%(?:%|(0[0-9]{1,2})?(X?)([a-zA-Z]))|[^%]|%")


class BadForm(PermanentError):
    """It makes no unique ids."""


@dataclass(frozen=True, slots=True)
class UidlForm:
    """How unique ids are made.

    Attributes:
        form: See above.
        validity: What ``%v`` is.
        shift: What is added to a UID for ``%u``.
    """

    form: bytes
    validity: int
    shift: int = 0

    def pattern(self) -> bytes:
        """A pattern for ``%`` that takes the number of a message.

        Raises:
            BadForm: It is none, or has no ``%u``.
        """
        found = [_translated(part, self.validity) for part in _PART.finditer(self.form)]
        pattern = b"".join(found)
        if sum(part.startswith(b"%") and part != b"%%" for part in found) != 1:
            raise BadForm(f"{self.form!r} needs %u, and no other variable than %v")
        longest = pattern % 0xFFFFFFFF
        if len(longest) > LENGTH_MAX or not all(33 <= o <= 126 for o in longest):
            raise BadForm(f"{self.form!r} makes no unique ids that POP3 allows")
        return pattern

    def text(self, uid: int) -> bytes:
        """The unique id of a message."""
        return self.pattern() % (uid + self.shift)

    def note(self) -> bytes:
        """For the ledger."""
        return b"%d %d %b" % (self.shift, self.validity, self.form)

    @classmethod
    def of(cls, table: IndexTable) -> "UidlForm | None":
        """The form that a ledger keeps, if it does."""
        shift, _, rest = table.notes.get(NOTE, b"").partition(b" ")
        validity, _, form = rest.partition(b" ")
        if not (shift.isdigit() and validity.isdigit() and form):
            return None
        found = cls(form, int(validity), int(shift))
        try:
            found.pattern()
        except BadForm:
            return None
        return found


def _translated(part: "re.Match[bytes]", validity: int) -> bytes:
    text = part[0]
    if not text.startswith(b"%") or text == b"%%":
        return text
    number = b"%" + (part[1] or b"") + (b"x" if part[2] else b"d")
    match part[3]:
        case b"u":
            return number
        case b"v":
            return number % validity
    raise BadForm(f"{text.decode('ascii', 'replace')!r} is no variable that is known")


def unique_ids(table: IndexTable, own: Callable[[], list[bytes]]) -> list[bytes]:
    """The unique ids of all rows.

    Args:
        table: Of the mailbox.
        own: Makes them as the storage format does, where no form is kept.
    """
    form = UidlForm.of(table)
    found = own() if form is None else _formed(table, form)
    for uid, text in table.uidls.items():
        row = table.row(uid)
        if row is not None:
            found[row] = text
    return found


def _formed(table: IndexTable, form: UidlForm) -> list[bytes]:
    pattern, shift = form.pattern(), form.shift
    if not shift:
        return list(map(pattern.__mod__, table.uids))
    return [pattern % (uid + shift) for uid in table.uids]

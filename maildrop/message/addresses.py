"""Address lists of From, To, Cc ... as ENVELOPE shows them.

In this file:
    Address             name, route, mailbox, domain (RFC 3501 section 7.4.2)
    addresses           what a field value says, as tuples
    address_structures  the same as IMAP octets, straight from well-formed values

Grammar: RFC 5322 section 3.4 with the obsolete forms of section 4.4 (routes, comments
as names, dots and white space anywhere).  A group is an address with only a
mailbox (its name), its members, and an address of nothing.

What people send is often no address.  It is shown as well as it can be, and what is
missing has a name that nobody takes for real: MISSING_MAILBOX, MISSING_DOMAIN,
INVALID_ROUTE, SYNTAX_ERROR (as Dovecot's users know them).

Limits: the number of addresses, by the caller.
"""

import re
from typing import Final

from maildrop.message.strings import NIL, human, nstring
from maildrop.message.tokens import BROKEN, END, MORE, Ahead, Reader

#: Display name, route, mailbox, domain; None is NIL.
Address = tuple[bytes | None, bytes | None, bytes | None, bytes | None]

MISSING_MAILBOX: Final = b"MISSING_MAILBOX"
MISSING_DOMAIN: Final = b"MISSING_DOMAIN"
INVALID_ROUTE: Final = b"INVALID_ROUTE"
SYNTAX_ERROR: Final = b"SYNTAX_ERROR"

_ATEXT: Final = rb"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_SPEC: Final = (
    rb"([." + _ATEXT + rb"]++)@([" + _ATEXT + rb"]++(?:\.[" + _ATEXT + rb"]++)*+)"
)
_W: Final = rb"[ \t\r\n]*+"
#: One well-formed address and the comma or end behind it.
_SIMPLE: Final = re.compile(
    _W
    + rb"(?:(?:"
    + rb'"([^"\\\r\n\0]*+)"'
    + rb"|(["
    + _ATEXT
    + rb"\x80-\xff][. \t\r\n"
    + _ATEXT
    + rb"\x80-\xff]*+)"
    + rb")?+"
    + _W
    + rb"<"
    + _SPEC
    + rb">"
    + rb"|"
    + _SPEC
    + rb")"
    + _W
    + rb"(,|\Z)"
).match


def address_structures(values: list[bytes], limit: int) -> bytes:
    """``env-from`` and its kin: a parenthesized list, or NIL when there is none.

    Args:
        values: The values of all fields of that name; they count as one list.
        limit: Addresses to show.
    """
    shown: list[bytes] = []
    for value in values:
        if len(shown) >= limit:
            break
        _append(shown, value, limit)
    return b"(%b)" % b"".join(shown[:limit]) if shown else NIL


def _append(shown: list[bytes], value: bytes, limit: int) -> None:
    start = len(shown)
    pos, end = 0, len(value)
    while len(shown) < limit:
        found = _SIMPLE(value, pos)
        if found is None:
            if pos < end and value[pos:].strip(b" \t\r\n"):
                del shown[start:]
                shown.extend(
                    _structure(address) for address in addresses(value, limit - start)
                )
            return
        string, phrase, mailbox, domain, mailbox2, domain2, comma = found.groups()
        if mailbox2 is not None:
            shown.append(b'(NIL NIL "%b" "%b")' % (mailbox2, domain2))
        elif phrase is not None:
            name = human(b" ".join(phrase.split()))
            shown.append(b'(%b NIL "%b" "%b")' % (name, mailbox, domain))
        else:
            name = human(string or None)
            shown.append(b'(%b NIL "%b" "%b")' % (name, mailbox, domain))
        if not comma:
            return
        pos = found.end()


def _structure(address: Address) -> bytes:
    name, route, mailbox, domain = address
    return b"(%b %b %b %b)" % (
        human(name),
        nstring(route),
        nstring(mailbox),
        nstring(domain),
    )


def addresses(value: bytes, limit: int) -> list[Address]:
    """The addresses of one field value, groups as RFC 3501 section 7.4.2 has them."""
    return _ListReader(value, limit).address_list()


class _ListReader(Reader):
    """Reads ``address-list``.

    What an address is made of collects in ``name`` ... ``domain`` until ``_add``.
    """

    __slots__ = ("_domain", "_found", "_limit", "_mailbox", "_name", "_route")

    def __init__(self, value: bytes, limit: int) -> None:
        super().__init__(value)
        self._found: list[Address] = []
        self._limit = limit
        self._name: bytes | None = None
        self._route: bytes | None = None
        self._mailbox: bytes | None = None
        self._domain: bytes | None = None

    def _add(self) -> None:
        self._found.append((self._name, self._route, self._mailbox, self._domain))
        self._name = self._route = self._mailbox = self._domain = None

    def _add_mailbox(self) -> None:
        if self._mailbox is None:
            self._mailbox = MISSING_MAILBOX
        if not self._domain:
            self._domain = MISSING_DOMAIN
        self._add()

    def address_list(self) -> list[Address]:
        ahead = self.skip()
        while ahead is MORE and len(self._found) < self._limit:
            ahead = self._address()
            if ahead is END:
                break
            if not self.at(b","):
                break
            self.pos += 1
            ahead = self.skip()
            if ahead is BROKEN:
                self._add_mailbox()
        return self._found

    def _address(self) -> Ahead:
        start = self.pos
        ahead, phrase = self.phrase()
        if ahead is MORE and self.at(b":"):
            return self._group(phrase)
        if ahead is MORE and self.at(b"<"):
            return self._name_address(phrase)
        self.pos = start
        return self._plain_address()

    def _mailbox_in_group(self) -> None:
        start = self.pos
        ahead, phrase = self.phrase()
        if ahead is MORE and self.at(b"<"):
            self._name_address(phrase)
            return
        self.pos = start
        self._plain_address()

    def _group(self, name: bytes) -> Ahead:
        """``group``; the colon comes next.  RFC 5322 section 3.4, obs-group too."""
        self.pos += 1
        ahead = self.skip()
        self._mailbox = name
        self._add()
        if ahead is MORE and not self.at(b";"):
            while len(self._found) < self._limit:
                self._mailbox_in_group()
                if not self.at(b","):
                    break
                self.pos += 1
                if self.skip() is not MORE:
                    ahead = BROKEN
                    break
        if ahead is not BROKEN:
            if self.at(b";"):
                self.pos += 1
                ahead = self.skip()
            else:
                ahead = BROKEN
        self._add()
        return END if ahead is END else MORE

    def _name_address(self, name: bytes) -> Ahead:
        """``name-addr``; the angle bracket comes next."""
        self._name = name or None
        if self._angle_address() is BROKEN:
            self._domain = SYNTAX_ERROR
        self._add_mailbox()
        return MORE if self.pos < self.end else END

    def _angle_address(self) -> Ahead:
        self.pos += 1
        if self.skip() is not MORE:
            return BROKEN
        if self.at(b"@") and not self._route_of_address():
            return BROKEN
        if not self.at(b">"):
            if self._local_part() is not MORE:
                return BROKEN
            if self.at(b"@") and self._domain_part() is not MORE:
                return BROKEN
        if not self.at(b">"):
            return BROKEN
        self.pos += 1
        return self.skip()

    def _route_of_address(self) -> bool:
        """``obs-route``; whether something follows it."""
        if self._domain_list() and self.at(b":"):
            self.pos += 1
        else:
            self._route = INVALID_ROUTE
        return self.pos < self.end and self.skip() is MORE

    def _domain_list(self) -> bool:
        route: list[bytes] = []
        while self.at(b"@"):
            ahead, domain = self.domain()
            if ahead is not MORE:
                return False
            route.append(b"@" + domain)
            while self.skip() is MORE and self.at(b","):
                self.pos += 1
        if self.pos >= self.end:
            return False
        self._route = b",".join(route)
        return True

    def _local_part(self) -> Ahead:
        ahead, text = self._read_local_part()
        if ahead is not BROKEN:
            self._mailbox = text
        return ahead

    def _read_local_part(self) -> tuple[Ahead, bytes]:
        return self.quoted_string() if self.at(b'"') else self.local_dots()

    def _domain_part(self) -> Ahead:
        ahead, text = self.domain()
        if ahead is not BROKEN:
            self._domain = text
        return ahead

    def _plain_address(self) -> Ahead:
        """``addr-spec``, with its name in a comment behind it as in RFC 822.

        A lone word is taken for a mailbox without domain, several for a name without
        address.
        """
        self.comment = b""
        quoted = self.at(b'"')
        ahead, text = self._read_local_part()
        local = ahead
        if local is not BROKEN:
            self._mailbox = text
        has_domain = local is not END and self.at(b"@")
        if has_domain:
            behind = self._domain_part()
            ahead = ahead if behind is MORE else behind
        if self.comment:
            self._name = self.comment
        elif not has_domain:
            ahead = BROKEN
            self._nameless(text, quoted=quoted)
        if (
            (local is not MORE or not has_domain)
            and self._name is None
            and self._domain is None
        ):
            self._name, self._mailbox = self._mailbox, None
        self._add_mailbox()
        return ahead

    def _nameless(self, text: bytes, *, quoted: bool) -> None:
        _ahead, more = self.phrase()
        if more:
            self._mailbox = None
            self._name = text + b" " + more
        elif not quoted:
            self._domain = b""

r"""Messages as programs write them, made into what the queue keeps.

In this file:
    Letter          a header, field by field, and a body
    address_list    the addresses of a field or an argument
    phrase          a full name, as it may stand in From
    NoAddress       what was given is none

What is changed of a message, and nothing else: lines end in CRLF; a ``From `` line at
the start, as mbox files have it, is left out; a line that is no field ends the header;
Bcc goes when recipients are taken from the header; what RFC 5322 section 3.6 wants is
put before the rest: Date, From, Message-ID (RFC 6409 section 8).  8-bit octets, NUL,
long lines and every field stay as they are.

Grammar: RFC 5322 section 3.4 with the obsolete forms of section 4.4, and ``;`` between
addresses, as some people write.  Unlike a reader of mail, who shows what can be shown,
this one must not overlook a recipient: what is no address is an error.

Limits: octets of a header.

Security: names go into a field as an atom, a quoted string, or encoded (RFC 2047); one
with a control character is refused.  Each octet is looked at a fixed number of times.
"""

import re
from binascii import b2a_base64
from collections.abc import Collection, Iterator
from typing import Final

from maildrop.errors import LimitExceeded, PermanentError, ProtocolSyntaxError
from maildrop.smtp.wire.path import forward_path

#: Octets of a header: 10,000 recipients have room.
HEADER_MAX: Final = 1 << 22
#: Characters of a full name.
NAME_MAX: Final = 200
_FROM_LINE: Final = re.compile(rb"From [^\n]*+\n")
_LINE_END: Final = re.compile(rb"(?<!\r)\n")
_FIELD: Final = re.compile(
    rb"([!-9;-~]++)[ \t]*+:([^\n]*+\n(?:[ \t][^\n]*+\n)*+)", re.DOTALL
)
_STRING: Final = rb'"(?:[^"\\]|\\.)*+"'
_TOKEN: Final = re.compile(
    rb"(?P<space>[ \t\r\n]++)"
    rb"|(?P<angle><(?:[^<>\"]|" + _STRING + rb")*+>)"
    rb"|(?P<end>[,;])|(?P<colon>:)|(?P<comment>\()"
    rb"|(?P<word>" + _STRING + rb"|\[[^\[\]]*+\]|[^ \t\r\n\"<>(),:;\[\]]++)",
    re.DOTALL,
)
_IN_COMMENT: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_SPECIAL: Final = re.compile(r'(["\\])')
#: Octets in an encoded word, of which RFC 2047 section 2 lets there be 75 characters.
_ENCODED: Final = 45


class NoAddress(PermanentError):
    """What was given is no address; the text shows it."""


class Letter:
    """A message.

    Attributes:
        fields: Names in lower case, and whole fields with their line ends.
        body: What follows the empty line.
    """

    __slots__ = ("body", "fields")

    def __init__(self, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.fields = fields
        self.body = body

    @classmethod
    def read(cls, octets: bytes) -> "Letter":
        """A message as a program wrote it, lines ending in LF or CRLF.

        Raises:
            LimitExceeded: The header has no end for too long.
        """
        octets = _LINE_END.sub(b"\r\n", octets)
        if octets and not octets.endswith(b"\n"):
            octets += b"\r\n"
        first = _FROM_LINE.match(octets)
        at = first.end() if first is not None else 0
        fields = []
        while found := _FIELD.match(octets, at):
            fields.append((found[1].lower(), found[0]))
            at = found.end()
            if at > HEADER_MAX:
                raise LimitExceeded(f"the header has over {HEADER_MAX} octets")
        if octets[at : at + 2] == b"\r\n":
            at += 2
        return cls(fields, octets[at:])

    def has(self, name: bytes) -> bool:
        """Whether there is a field of a name, in lower case."""
        return any(its == name for its, _ in self.fields)

    def add(self, name: str, value: str) -> None:
        """Put a field before the others."""
        octets = f"{name}: {value}\r\n".encode()
        self.fields.insert(0, (name.lower().encode(), octets))

    def take_recipients(self) -> list[str]:
        """The addresses of To, Cc and Bcc; Bcc is removed.

        A message that was sent again has fields of their own for that (RFC 5322 section
        3.6.6), and only those count.

        Raises:
            NoAddress: One of the fields holds something else.
        """
        wanted: Collection[bytes] = (b"resent-to", b"resent-cc", b"resent-bcc")
        if not any(name in wanted for name, _ in self.fields):
            wanted = (b"to", b"cc", b"bcc")
        found: list[str] = []
        for name, octets in self.fields:
            if name in wanted:
                found += address_list(octets.partition(b":")[2])
        hidden = (b"bcc", b"resent-bcc")
        self.fields = [each for each in self.fields if each[0] not in hidden]
        return found

    def __bytes__(self) -> bytes:
        return b"".join([*(octets for _, octets in self.fields), b"\r\n", self.body])


def address_list(value: bytes) -> list[str]:
    """The addresses of a field or an argument; groups are their members.

    Raises:
        NoAddress: Something in it is no address.
    """
    found = []
    words: list[bytes] = []
    angle: bytes | None = None
    for kind, token in _tokens(value):
        if kind == "word":
            words.append(token)
        elif kind == "angle":
            if angle is not None:
                raise NoAddress(f"not an address: {_shown(value)}")
            angle = token
        elif kind == "colon":
            words.clear()  # the name of a group
        else:
            if angle is not None or words:
                found.append(_address(words, angle))
            words, angle = [], None
    return found


def _tokens(value: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(value):
        token = _TOKEN.match(value, at)
        if token is None or token.lastgroup is None:
            raise NoAddress(f"not an address: {_shown(value[at:])}")
        at = token.end()
        if token.lastgroup == "comment":
            at = _comment_end(value, at)
        elif token.lastgroup != "space":
            yield token.lastgroup, token[0]
    yield "end", b""


def _comment_end(value: bytes, at: int) -> int:
    depth = 1
    for found in _IN_COMMENT.finditer(value, at):
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    raise NoAddress(f"a comment without end: {_shown(value[at - 1 :])}")


def _address(words: list[bytes], angle: bytes | None) -> str:
    """An address of words, with white space about its dots and its ``@`` perhaps."""
    if angle is None:
        for at in range(1, len(words)):
            if not (words[at - 1].endswith((b"@", b".")) or words[at][:1] in b"@."):
                raise NoAddress(f"not an address: {_shown(b' '.join(words))}")
        angle = b"<%b>" % b"".join(words)
    angle = b"<%b>" % angle[1:-1].strip(b" \t\r\n")
    try:
        path, end = forward_path(angle)
    except ProtocolSyntaxError as error:
        raise NoAddress(f"{error}: {_shown(angle[1:-1])}") from error
    if end != len(angle):
        raise NoAddress(f"not an address: {_shown(angle)}")
    return str(path)


def _shown(octets: bytes) -> str:
    return ascii(octets[:80].decode("utf-8", "replace").strip())


def phrase(name: str) -> str:
    """A full name, as it may stand in From.

    Raises:
        NoAddress: It holds a control character, or is too long.
    """
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
    if len(name) > NAME_MAX:
        raise NoAddress(f"a name of over {NAME_MAX} characters")
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name):
        raise NoAddress(f"a name with a control character: {name[:80]!a}")
    if not name.isascii() or "=?" in name:
        return "\r\n ".join(_encoded_words(name))
    if _ATOMS.fullmatch(name) or not name:
        return name
    return '"' + _SPECIAL.sub(r"\\\1", name) + '"'


def _encoded_words(name: str) -> Iterator[str]:
    """RFC 2047: no character is cut."""
    word = b""
    for letter in name:
        octets = letter.encode()
        if len(word) + len(octets) > _ENCODED:
            yield _encoded(word)
            word = b""
        word += octets
    yield _encoded(word)


def _encoded(word: bytes) -> str:
    return f"=?utf-8?B?{b2a_base64(word, newline=False).decode()}?="

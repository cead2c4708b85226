r"""LIST: which mailboxes there are (RFC 3501 section 6.3.8, RFC 5258, RFC 6154).

In this file:
    List                    the command
    SELECTION, RETURNED     the options there are
    parse                   from octets
    response                the untagged response

Grammar (RFC 5258 section 6):

    list       = "LIST" [SP "(" [selection *(SP selection)] ")"] SP mailbox SP
                 (list-mailbox / "(" list-mailbox *(SP list-mailbox) ")")
                 [SP "RETURN" SP "(" [return *(SP return)] ")"]
    selection  = "SUBSCRIBED" / "REMOTE" / "RECURSIVEMATCH" / "SPECIAL-USE"
    return     = "SUBSCRIBED" / "CHILDREN" / "SPECIAL-USE"

Errors: options that are not known, and RECURSIVEMATCH with none to match but REMOTE
(RFC 5258 section 3.1), are a ``ProtocolSyntaxError``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.syntax import mailbox as written, quoted

#: RFC 5258 section 3.1, RFC 6154 section 2.
SELECTION: Final = frozenset(
    {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}
)
#: RFC 5258 section 3.2, RFC 6154 section 2.
RETURNED: Final = frozenset({b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE"})
#: RECURSIVEMATCH and REMOTE choose nothing by themselves.
_MODIFIERS: Final = frozenset({b"RECURSIVEMATCH", b"REMOTE"})


@dataclass(frozen=True, slots=True)
class List:
    """LIST.

    Attributes:
        tag: The command's.
        reference: Where the patterns begin.
        patterns: With "%" and "*".
        selection: Of ``SELECTION``: which mailboxes.
        returned: Of ``RETURNED``: what to say of them.
        extended: It uses RFC 5258, so that "" as a pattern is no question for the
            separator, and repeated answers are joined.
    """

    tag: bytes
    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[bytes] = frozenset()
    returned: frozenset[bytes] = frozenset()
    extended: bool = False


def parse(tag: bytes, arguments: Arguments) -> List:
    """Read what follows the command's name."""
    arguments.space()
    extended = arguments.next_is(b"(")
    selection: frozenset[bytes] = frozenset()
    if extended:
        selection = _options(arguments, SELECTION)
        if b"RECURSIVEMATCH" in selection and selection <= _MODIFIERS:
            raise arguments.error("RECURSIVEMATCH with nothing to match")
        arguments.space()
    reference = arguments.mailbox()
    arguments.space()
    if arguments.next_is(b"("):
        extended = True
    patterns = _patterns(arguments)
    returned: frozenset[bytes] = frozenset()
    if not arguments.at_end():
        arguments.space()
        if arguments.word() != b"RETURN":
            raise arguments.error("expected RETURN")
        arguments.space()
        returned = _options(arguments, RETURNED)
        extended = True
    arguments.end()
    return List(tag, reference, patterns, selection, returned, extended)


def _options(arguments: Arguments, known: frozenset[bytes]) -> frozenset[bytes]:
    arguments.expect(b"(")
    found: set[bytes] = set()
    while not arguments.take(b")"):
        if found:
            arguments.space()
        option = arguments.word()
        if option not in known:
            raise arguments.error("expected an option of LIST")
        found.add(option)
    return frozenset(found)


def _patterns(arguments: Arguments) -> tuple[str, ...]:
    if not arguments.take(b"("):
        return (arguments.list_mailbox(),)
    patterns: list[str] = []
    while True:
        patterns.append(arguments.list_mailbox())
        arguments.check_items(len(patterns))
        if arguments.take(b")"):
            return tuple(patterns)
        arguments.space()


def response(
    name: str,
    separator: str | None,
    attributes: Iterable[bytes] = (),
    *,
    child_info: Iterable[bytes] = (),
    command: bytes = b"LIST",
) -> bytes:
    r"""LIST: one mailbox (RFC 3501 section 7.2.2).

    Args:
        name: Its name.
        separator: Between levels; None where there are none.
        attributes: Such as ``b"\\HasChildren"``, in the order they are to be sent.
        child_info: Selection options that mailboxes below it fit, though it does not
            (CHILDINFO, RFC 5258 section 4).
        command: LIST, or LSUB.
    """
    delimiter = b"NIL" if separator is None else quoted(separator.encode("ascii"))
    info = b" ".join(quoted(option) for option in child_info)
    return b"* %b (%b) %b %b%b\r\n" % (
        command,
        b" ".join(attributes),
        delimiter,
        written(name),
        b' ("CHILDINFO" (%b))' % info if info else b"",
    )

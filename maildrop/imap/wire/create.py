r"""CREATE: make a mailbox (RFC 3501 section 6.3.3), with a use (RFC 6154 section 3).

In this file:
    Create    the command
    parse     from octets

Grammar:

    create   = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]
    use      = "USE" SP "(" [use-attr *(SP use-attr)] ")"    ; the one parameter known

Errors: another parameter is a ``ProtocolSyntaxError`` (RFC 4466 section 2.2: BAD).
"""

from dataclasses import dataclass

from maildrop.imap.wire.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Create:
    r"""CREATE.

    Attributes:
        tag: The command's.
        mailbox: Its name; one that ends with the separator is meant to get children.
        special_use: Attributes such as ``"\Sent"``, known or not, as written.
    """

    tag: bytes
    mailbox: str
    special_use: tuple[str, ...] = ()


def parse(tag: bytes, arguments: Arguments) -> Create:
    """Read what follows the command's name."""
    arguments.space()
    mailbox = arguments.mailbox()
    special_use: tuple[str, ...] = ()
    if arguments.take(b" ("):
        if arguments.word() != b"USE":
            raise arguments.error("expected USE")
        arguments.space()
        special_use = arguments.attributes()
        arguments.expect(b")")
    arguments.end()
    return Create(tag, mailbox, special_use)

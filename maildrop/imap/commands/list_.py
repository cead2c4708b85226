r"""LIST: which mailboxes there are.

Attributes for children (RFC 3348) and special uses (RFC 6154) are told without being
asked for: they cost nothing here.
"""

from collections.abc import Iterable

from maildrop.errors import LimitExceeded
from maildrop.imap.listing import Listed, Pattern, attributes, mailboxes
from maildrop.imap.session import Session
from maildrop.imap.wire import list_ as wire, responses

#: Mailboxes between two looks at how long this takes.
_BATCH = 50


async def list_(session: Session, command: wire.List) -> bytes:
    """LIST: RFC 3501 section 6.3.8, RFC 5258, RFC 6154."""
    namespace = session.site.namespace
    if command.patterns == ("",) and not command.extended:
        root = wire.response("", namespace.separator, [b"\\Noselect"])
        session.write(root)
        return responses.ok(command.tag, b"List completed")
    patterns = patterns_of(session, command.reference, command.patterns)
    wants = command.selection | command.returned
    known = mailboxes(
        await session.mail.entries(),
        await session.mail.subscriptions() if b"SUBSCRIBED" in wants else (),
    )
    for listed in await matching(session, known.values(), patterns):
        info = _child_info(listed, command)
        if _selected(listed, command) or info:
            session.write(
                wire.response(
                    namespace.written(listed.name),
                    namespace.separator,
                    attributes(
                        listed,
                        extended=command.extended,
                        subscribed=b"SUBSCRIBED" in wants,
                    ),
                    child_info=info,
                )
            )
    return responses.ok(command.tag, b"List completed")


def _selected(listed: Listed, command: wire.List) -> bool:
    """Whether a mailbox fits the selection options (RFC 5258 section 3.1)."""
    if b"SUBSCRIBED" in command.selection:
        if not listed.subscribed:
            return False
    elif not listed.exists:
        return False
    return b"SPECIAL-USE" not in command.selection or bool(listed.special_use)


def _child_info(listed: Listed, command: wire.List) -> tuple[bytes, ...]:
    """What RECURSIVEMATCH says of those below (RFC 5258 section 4)."""
    wanted = {b"RECURSIVEMATCH", b"SUBSCRIBED"}
    if listed.below and wanted <= command.selection:
        return (b"SUBSCRIBED",)
    return ()


def patterns_of(
    session: Session, reference: str, patterns: Iterable[str]
) -> list[Pattern]:
    """The patterns of LIST and LSUB; the reference stands before each.

    Raises:
        LimitExceeded: One is too long.
    """
    found = []
    for pattern in patterns:
        if len(reference) + len(pattern) > session.site.limits.pattern:
            raise LimitExceeded("a pattern that is too long")
        found.append(Pattern(reference + pattern, session.site.namespace.separator))
    return found


async def matching(
    session: Session, known: Iterable[Listed], patterns: list[Pattern]
) -> list[Listed]:
    """Those that some pattern asks for."""
    namespace = session.site.namespace
    found = []
    for count, listed in enumerate(known):
        written = namespace.written(listed.name)
        if any(pattern.matches(written) for pattern in patterns):
            found.append(listed)
        if count % _BATCH == 0:
            await session.link.breathe()
    return found

r"""LSUB: which subscribed mailboxes there are.

RFC 3501 section 6.3.9: with "%" a level that is not subscribed, above one that is, is
shown with ``\Noselect``.
"""

from dataclasses import replace

from maildrop.imap.commands.list_ import matching, patterns_of
from maildrop.imap.listing import attributes, mailboxes
from maildrop.imap.session import Session
from maildrop.imap.wire import list_, lsub as wire, responses


async def lsub(session: Session, command: wire.Lsub) -> bytes:
    """LSUB: RFC 3501 section 6.3.9."""
    namespace = session.site.namespace
    if not command.pattern:
        root = list_.response("", namespace.separator, [b"\\Noselect"], command=b"LSUB")
        session.write(root)
        return responses.ok(command.tag, b"Lsub completed")
    patterns = patterns_of(session, command.reference, [command.pattern])
    levels = any(pattern.levels for pattern in patterns)
    known = mailboxes(await session.mail.entries(), await session.mail.subscriptions())
    for listed in await matching(session, known.values(), patterns):
        if not listed.subscribed:
            if not (levels and listed.below):
                continue
            shown = replace(listed, selectable=False)
        else:
            shown = listed
        said = attributes(shown, extended=False, subscribed=False)
        written = namespace.written(listed.name)
        session.write(wire.response(written, namespace.separator, said))
    return responses.ok(command.tag, b"Lsub completed")

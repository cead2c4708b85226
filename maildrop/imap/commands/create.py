r"""CREATE: make a mailbox."""

from typing import Final

from maildrop.imap import respond
from maildrop.imap.session import Session
from maildrop.imap.wire import create as wire, responses

#: RFC 6154 section 2, without ``\All`` and ``\Flagged``: no mailbox here is virtual.
_USES: Final = {
    use.lower(): use for use in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")
}


async def create(session: Session, command: wire.Create) -> bytes:
    """CREATE: RFC 3501 section 6.3.3; USE: RFC 6154 section 3."""
    name = without_separator(session, command.mailbox)
    uses = []
    for asked in command.special_use:
        use = _USES.get(asked.lower())
        if use is None:
            raise respond.UnknownUse("a special use that is not known")
        uses.append(use)
    await session.mail.create(name, uses)
    return responses.ok(command.tag, b"Create completed")


def without_separator(session: Session, written: str) -> str:
    """The name of a mailbox to be made.

    A separator at its end says that it is to get children, as any mailbox here may.
    """
    separator = session.site.namespace.separator
    return session.name(written.removesuffix(separator))

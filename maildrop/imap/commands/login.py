"""LOGIN: log in by name and password."""

from maildrop.errors import MaildropError
from maildrop.imap import respond
from maildrop.imap.entering import enter, refused
from maildrop.imap.session import Session
from maildrop.imap.wire import login as wire


async def login(session: Session, command: wire.Login) -> bytes | None:
    """LOGIN: RFC 3501 section 6.2.3; refused while passwords can be overheard."""
    authenticator = session.site.authenticator
    peer = session.link.peer
    if not authenticator.allows_cleartext(peer.secure):
        raise respond.PasswordsInClear("LOGIN before TLS")
    try:
        account = await authenticator.authenticate(
            command.name,
            command.password,
            service="imap",
            source=peer.address,
            note=session.live.noting("LOGIN"),
        )
        return await enter(session, account)
    except MaildropError as error:
        refused(session, error)
        return None

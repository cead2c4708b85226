"""Login: what LOGIN and AUTHENTICATE share.

In this file:
    enter      the account's mail is opened
    refused    the login was not good

Security: a refusal never says which part was wrong.  ``auth.authenticator`` slows down
guessing; a connection is closed after ``IMAPLimits.logins`` failures.
"""

from maildrop.errors import AuthenticationFailed, MaildropError
from maildrop.imap import respond
from maildrop.imap.capabilities import capabilities
from maildrop.imap.session import Session
from maildrop.imap.wire import responses
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Mail


async def enter(session: Session, account: Account) -> bytes:
    """Open the account's mail; gives the tagged answer."""
    mail = await session.site.post.mail(account)
    await _provide(session, mail)
    session.enter(account, mail)
    session.note(
        "login of {user} from {peer}", user=account.name, peer=str(session.link.peer)
    )
    code = responses.capability(capabilities(session))
    return responses.ok(session.tag, b"Logged in", code)


async def _provide(session: Session, mail: Mail) -> None:
    """Make the special-use mailboxes of an account that has never had them."""
    site = session.site
    if mail in site.provided:
        return
    try:
        await mail.provide(site.special_use)
        site.provided.add(mail)
    except MaildropError as error:
        session.warn(
            "mailboxes of {user} for special uses cannot be made: {error}",
            user=mail.account.name,
            error=str(error),
        )


def refused(session: Session, error: MaildropError) -> None:
    """Answer a login that was not good; after too many, close."""
    session.exchange = None
    session.refuse(session.tag, error)
    if isinstance(error, AuthenticationFailed):
        session.failed_logins += 1
        if session.failed_logins >= session.site.limits.logins:
            session.bye(respond.TOO_MANY_LOGINS)

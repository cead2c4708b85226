"""News of the selected mailbox: what a client is told without asking.

In this file:
    quiet          whether there is none
    tell           EXPUNGE, EXISTS, RECENT and FETCH for what happened
    tell_flags     FLAGS and PERMANENTFLAGS, when there are new keywords
    flag_names     the flags of a mailbox
    permanent      those that can be changed for good

Order: RFC 3501 section 7.4.1: numbers in what follows an EXPUNGE are those after it.
FETCH responses that nobody asked for carry the UID too, which RFC 3501 section 7.4.2
leaves to the server: clients that know messages by UID need not map the number.
"""

from typing import Final

from maildrop.errors import MailboxVanished, MaildropError
from maildrop.imap.fetching import joined, send
from maildrop.imap.selected import Selected
from maildrop.imap.session import Session
from maildrop.imap.wire import expunge, fetch, responses, select
from maildrop.mailbox.flags import KEYWORDS_MAX
from maildrop.mailbox.table import MessageTable
from maildrop.message.flags import SYSTEM_FLAGS

_SYSTEM: Final = tuple(name.encode("ascii") for name in SYSTEM_FLAGS)
_ITEMS: Final = (fetch.UID, fetch.FLAGS)


def quiet(selected: Selected, *, look: bool) -> bool:
    """Whether ``tell`` would have nothing to wait for and nothing to tell.

    Args:
        selected: The mailbox.
        look: Ask too what other programs did.
    """
    mailbox = selected.mailbox
    return (
        (mailbox.unchanged if look else mailbox.still)
        and not selected.view.has_news
        and len(mailbox.table.keyword_names) == selected.keywords_told
    )


async def tell(session: Session, *, expunges: bool, refresh: bool) -> None:
    """Tell the client what happened to the selected mailbox.

    Args:
        session: Whose.
        expunges: Whether EXPUNGE is allowed now (RFC 3501 section 7.4.1).
        refresh: Look first what other programs did.

    Raises:
        MailboxVanished: The mailbox is no more.
    """
    selected = session.selected
    if selected is None:
        return
    mailbox, view = selected.mailbox, selected.view
    if refresh:
        if not mailbox.unchanged:
            await _refresh(session, selected)
    elif not mailbox.still:
        await mailbox.turn()
    if view.has_news:
        await _tell_news(session, selected, expunges=expunges)
    else:
        tell_flags(session, selected)


async def _tell_news(session: Session, selected: Selected, *, expunges: bool) -> None:
    view = selected.view
    told = view.updates(expunges=expunges)
    if told.expunged:
        session.counts.expunged += len(told.expunged)
        selected.kept = None
        session.write(b"".join(map(expunge.response, told.expunged)))
    if told.exists is not None:
        session.write(select.exists(told.exists) + select.recent(told.recent or 0))
        if not selected.read_only:
            await claim(session, selected)
    tell_flags(session, selected)
    if told.flags:
        numbers = (view.number(uid) for uid in told.flags)
        places = [number - 1 for number in numbers if number is not None]
        await send(session, selected, joined(places), _ITEMS)


async def _refresh(session: Session, selected: Selected) -> None:
    try:
        await selected.mailbox.refresh()
    except MailboxVanished:
        raise
    except MaildropError as error:
        session.warn(
            "{mailbox} of {user} cannot be refreshed: {error}",
            mailbox=selected.mailbox.name,
            user=session.live.user,
            error=str(error),
        )


async def claim(session: Session, selected: Selected) -> None:
    r"""Note that the messages have been in a session (``\Recent``)."""
    try:
        await selected.mailbox.claim_recent()
    except MailboxVanished:
        raise
    except MaildropError as error:
        # A full disk does not keep anybody from reading.
        session.warn(
            "recent messages in {mailbox} of {user} are not noted: {error}",
            mailbox=selected.mailbox.name,
            user=session.live.user,
            error=str(error),
        )


def tell_flags(session: Session, selected: Selected) -> None:
    """Tell of keywords that were not told of yet (RFC 3501 section 7.2.6)."""
    table = selected.mailbox.table
    if len(table.keyword_names) != selected.keywords_told:
        selected.keywords_told = len(table.keyword_names)
        code = responses.permanent_flags(permanent(selected))
        session.write(
            select.flags(flag_names(table))
            + responses.ok(responses.UNTAGGED, b"Flags that can be changed", code)
        )


def flag_names(table: MessageTable) -> list[bytes]:
    """The flags of a mailbox, system flags first."""
    keywords = [name.encode("ascii", "replace") for name in table.keyword_names]
    return [*_SYSTEM, *keywords]


def permanent(selected: Selected) -> list[bytes]:
    r"""The flags that STORE can change; ``\*`` while there is room for keywords."""
    if selected.read_only:
        return []
    table = selected.mailbox.table
    names = flag_names(table)
    if len(table.keyword_names) < KEYWORDS_MAX:
        names.append(b"\\*")
    return names

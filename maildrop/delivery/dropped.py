"""Messages of local programs, as entries of the queue.

In this file:
    Submitter    makes them: ``queue.adopting.Submitted``

The owner of the file is who sends, whatever the message says: the reverse path is the
owner's address unless another was asked for (``sendmail -f``) and the owner may; the
Received field names the owner's uid in any case.

Errors: ``Unfit`` for an address that is none.
"""

from collections.abc import Callable, Collection

from twisted.logger import Logger

from maildrop.delivery.address import split_detail
from maildrop.delivery.login import login_name
from maildrop.delivery.received import message_id, received_here
from maildrop.errors import ProtocolSyntaxError
from maildrop.queue.adopting import Made
from maildrop.queue.drop import Dropped, Unfit
from maildrop.queue.entry import Entry, Options, Waiting
from maildrop.smtp.wire.path import Path, path_of

#: Stands for every account in a list of those who may send as anybody.
EVERYBODY = "*"


class Submitter:
    """Makes entries of what local programs hand in.

    Args:
        hostname: Ours.
        domain: Of addresses without one.
        is_local: Whether a domain is ours.
        place: Makes an address a recipient that waits in the queue.
        now: Seconds since 1970 UTC.
        trusted: Accounts that may send with any reverse path; ``*`` for all.
        separators: Characters between user and detail.
        login: Gives the name of an account.
    """

    _log = Logger()

    def __init__(
        self,
        hostname: str,
        domain: str,
        is_local: Callable[[str], bool],
        place: Callable[[str], Waiting],
        now: Callable[[], float],
        *,
        trusted: Collection[str] = (EVERYBODY,),
        separators: str = "+",
        login: Callable[[int], str] = login_name,
    ) -> None:
        self._hostname = hostname
        self._domain = domain
        self._is_local = is_local
        self._place = place
        self._now = now
        self._trusted = frozenset(trusted)
        self._separators = separators
        self._login = login

    def entry(self, entry_id: str, dropped: Dropped, uid: int, message: bytes) -> Made:
        """See ``queue.adopting.Submitted``."""
        now = self._now()
        sender = self._sender(entry_id, dropped, uid)
        recipients = []
        paths = dict.fromkeys(map(self._path, dropped.recipients))
        for number, path in enumerate(paths):
            waiting = self._place(str(path))
            waiting.number = number
            waiting.notify = dropped.notify
            recipients.append(waiting)
        plain = (sender is None or sender.is_ascii) and all(
            path.is_ascii for path in paths
        )
        entry = Entry(
            entry_id,
            "" if sender is None else str(sender),
            now,
            len(message),
            recipients,
            Options(
                smtputf8=not plain,
                eight_bit=not message.isascii(),
                ret=dropped.ret,
                envelope_id=dropped.envelope_id,
            ),
            next=now,
        )
        only = next(iter(paths)) if len(paths) == 1 else None
        field = received_here(
            entry_id, uid, self._hostname, now, only, dropped.protocol
        )
        facts = {
            "sender": entry.sender or "<>",
            "size": len(message),
            "message_id": message_id(message),
            "service": "sendmail",
            "user": self._login(uid),
            "uid": uid,
        }
        return Made(entry, field, facts)

    def _path(self, text: str) -> Path:
        try:
            path = path_of(text)
        except (ProtocolSyntaxError, UnicodeEncodeError) as error:
            raise Unfit(f"an address is none: {error}") from error
        return path if path.domain else Path(path.local, self._domain)

    def _sender(self, entry_id: str, dropped: Dropped, uid: int) -> Path | None:
        login = self._login(uid)
        own = Path(login, self._domain)
        if dropped.sender is None:
            return own
        if not dropped.sender:
            return None
        asked = self._path(dropped.sender)
        if self._trusted.isdisjoint((EVERYBODY, login)):
            local = split_detail(asked.local, self._separators)[0]
            if local != login or not self._is_local(asked.domain):
                self._log.warn(
                    "{id}: {user} may not send as {sender}: it is from {own}",
                    id=entry_id,
                    user=login,
                    sender=str(asked),
                    own=str(own),
                )
                return own
        return asked

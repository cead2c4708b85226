"""Which server a Maildir was served by, by the files it left.

In this file:
    Evidence        the files found, and when each server last wrote one
    detect          look for them
    refuse_busy     refuse a Maildir that another server is at work on
    refuse_unknown  refuse a server whose Maildirs cannot be read
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from maildrop.errors import MailboxInUse, PermanentError
from maildrop.storage.foreign import courier_files, dovecot_uidlist

#: The files that a server cannot do without, by server.
_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "dovecot": (dovecot_uidlist.FILE,),
    "courier": (courier_files.UIDS, courier_files.SIZES),
}
#: Files that are there while a server changes a Maildir.
_LOCKS: Final = {
    "Dovecot": dovecot_uidlist.LOCK,
    "Courier": "tmp/courier.lock",
}


@dataclass(slots=True)
class Evidence:
    """The files found.

    Attributes:
        newest: By server, the file written last.
        written: By server, when; seconds since 1970 UTC.
        count: By server, in how many mailboxes there is one.
    """

    newest: dict[str, str] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def server(self) -> str:
        """The server that wrote last; empty when nobody did."""
        return max(self.written, key=self.written.__getitem__, default="")

    def sentence(self) -> str:
        """What was found, in words."""
        chosen = self.server()
        if not chosen:
            return "no other server's files were found"
        text = f"from {chosen}, by {self.newest[chosen]}"
        others = [
            f"{name}'s files are older ({self.newest[name]})"
            for name in self.written
            if name != chosen
        ]
        return "; ".join([text, *others])


def detect(paths: Iterable[str]) -> Evidence:
    """Look for the files of servers.

    Args:
        paths: The directories of mailboxes.
    """
    evidence = Evidence()
    for path in paths:
        for server, names in _FILES.items():
            for name in names:
                _look(evidence, server, f"{path}/{name}")
    return evidence


def _look(evidence: Evidence, server: str, file: str) -> None:
    try:
        written = os.lstat(file).st_mtime
    except OSError:
        return
    evidence.count[server] = evidence.count.get(server, 0) + 1
    if written > evidence.written.get(server, -1.0):
        evidence.written[server] = written
        evidence.newest[server] = file


def refuse_busy(path: str) -> None:
    """Refuse a Maildir that another server is at work on.

    Raises:
        MailboxInUse: It is.
    """
    for server, name in _LOCKS.items():
        if os.path.lexists(f"{path}/{name}"):
            raise MailboxInUse(
                f"{path}/{name} is there: {server} is at work. Stop it first; if it is"
                " stopped, remove the file"
            )


def refuse_unknown(server: str) -> None:
    """Refuse a name that is no such server.

    Raises:
        PermanentError: It is none.
    """
    if server not in _FILES:
        raise PermanentError(f"a Maildir is of {' or '.join(_FILES)}, not of {server}")

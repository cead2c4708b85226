"""What a command is held to: in which states it is possible, and what is told after it.

In this file:
    Rule              one command's
    News              what is told after it
    may_expunge       whether EXPUNGE may be among the news
    ANY ... SELECTED  sets of states

``commands.table`` has the rule of every command.
"""

import enum
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from maildrop.imap.session import Session, State
from maildrop.imap.wire.commands import Command
from maildrop.imap.wire.fetch import Fetch
from maildrop.imap.wire.search import Search
from maildrop.imap.wire.store import Store

_WITH_NUMBERS: Final = (Fetch, Store, Search)
#: The tagged answer; None when it comes later, or was sent already.
Answer = Coroutine[Any, Any, bytes | None]

ANY: Final = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
NOT_AUTHENTICATED: Final = frozenset({State.NOT_AUTHENTICATED})
AUTHENTICATED: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED: Final = frozenset({State.SELECTED})


class News(enum.Enum):
    """What is told of the selected mailbox before the tagged answer.

    NONE: nothing; the command has just opened or left it.
    KNOWN: what this process knows.
    AWAITED: what other programs did too, unless the next command is here already, so
        that nobody waits for the answer.
    FRESH: what other programs did too; the command is there to hear it.
    """

    NONE = enum.auto()
    KNOWN = enum.auto()
    AWAITED = enum.auto()
    FRESH = enum.auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """One command's.

    Attributes:
        run: Does it.
        states: Where it is possible.
        news: What is told after it.
        at_once: Gives the whole answer, in pieces, when nothing has to be waited for
            and there is no news; else None, or an error, and nothing was done.  Takes
            the session, the command, and whether to look for news of other programs.
    """

    run: Callable[[Session, Any], Answer]
    states: frozenset[State]
    news: News = News.AWAITED
    at_once: Callable[[Session, Any, bool], list[bytes] | None] | None = None


def may_expunge(command: Command) -> bool:
    """Whether an EXPUNGE may be sent with the answer (RFC 3501 section 7.4.1).

    Not with one to FETCH, STORE and SEARCH, whose client may have sent further commands
    with sequence numbers; UID FETCH and its like are other commands.
    """
    return not isinstance(command, _WITH_NUMBERS) or command.uid

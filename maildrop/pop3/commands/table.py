"""Which command may be used when, and what carries it out.

In this file:
    Rule     one command
    RULES    all of them, by keyword
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from maildrop.pop3.commands.auth import auth
from maildrop.pop3.commands.capa import capa
from maildrop.pop3.commands.dele import dele
from maildrop.pop3.commands.lang import lang
from maildrop.pop3.commands.list_ import list_
from maildrop.pop3.commands.noop import noop
from maildrop.pop3.commands.pass_ import pass_
from maildrop.pop3.commands.quit_ import quit_
from maildrop.pop3.commands.retr import retr
from maildrop.pop3.commands.rset import rset
from maildrop.pop3.commands.stat import stat
from maildrop.pop3.commands.stls import stls
from maildrop.pop3.commands.top import top
from maildrop.pop3.commands.uidl import uidl
from maildrop.pop3.commands.user import user
from maildrop.pop3.commands.utf8 import utf8
from maildrop.pop3.session import Session, State
from maildrop.pop3.wire.commands import Command

BEFORE: Final = frozenset({State.AUTHORIZATION})
AFTER: Final = frozenset({State.TRANSACTION})
ALWAYS: Final = BEFORE | AFTER


@dataclass(frozen=True, slots=True)
class Rule:
    """One command.

    Attributes:
        states: In which it may be used.
        run: Carries it out, at once or in the coroutine it returns.
    """

    states: frozenset[State]
    run: Callable[[Session, Command], Coroutine[Any, Any, None] | None]


RULES: Final[dict[bytes, Rule]] = {
    b"AUTH": Rule(BEFORE, auth),
    b"CAPA": Rule(ALWAYS, capa),
    b"DELE": Rule(AFTER, dele),
    b"LANG": Rule(ALWAYS, lang),
    b"LIST": Rule(AFTER, list_),
    b"NOOP": Rule(AFTER, noop),
    b"PASS": Rule(BEFORE, pass_),
    b"QUIT": Rule(ALWAYS, quit_),
    b"RETR": Rule(AFTER, retr),
    b"RSET": Rule(AFTER, rset),
    b"STAT": Rule(AFTER, stat),
    b"STLS": Rule(BEFORE, stls),
    b"TOP": Rule(AFTER, top),
    b"UIDL": Rule(AFTER, uidl),
    b"USER": Rule(BEFORE, user),
    b"UTF8": Rule(BEFORE, utf8),
}

r"""Flags of the messages of a mailbox; ``message.flags`` says what they are.

The grammar of STORE and SEARCH speaks of the same bits, and a wire module may not
import from here, so that is where they stand.
"""

from maildrop.message.flags import (
    ALL_SYSTEM,
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    KEYWORD_LENGTH_MAX,
    KEYWORDS_MAX,
    SEEN,
    SYSTEM_FLAGS,
    FlagChange,
    Operation,
    combined,
    is_keyword,
)

__all__ = [
    "ALL_SYSTEM",
    "ANSWERED",
    "DELETED",
    "DRAFT",
    "FLAGGED",
    "KEYWORDS_MAX",
    "KEYWORD_LENGTH_MAX",
    "SEEN",
    "SYSTEM_FLAGS",
    "FlagChange",
    "Operation",
    "combined",
    "is_keyword",
]

"""Names of keywords, as they may be told to clients.

In this file:
    wrong_names    those that may not, or were there before
    mended         other names in their place

Security: a ledger may have been written by anyone who may write the mailbox; a name
with a line end in it would be a line of its own to a client.
"""

from collections.abc import Iterator, Sequence

from maildrop.mailbox.flags import is_keyword


def wrong_names(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Keywords that IMAP does not allow, or that were there before, by number."""
    before: set[str] = set()
    for number, name in enumerate(names):
        if not is_keyword(name) or name.lower() in before:
            yield number, name
        before.add(name.lower())


def mended(names: Sequence[str]) -> list[str]:
    """The names, with one made of its number for each that is wrong."""
    found = list(names)
    for number, _ in wrong_names(names):
        found[number] = f"maildrop-{number}"
    return found

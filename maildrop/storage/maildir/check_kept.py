"""Whether kept messages of a Maildir can be brought back.

In this file:
    examine_kept    what lies in ``maildrop.kept`` and could not be
"""

import os
import stat
from collections.abc import Iterator
from typing import Final

from maildrop.storage.findings import Code, Finding, shown
from maildrop.storage.maildir.kept import SHELF, KeptFile
from maildrop.storage.maildir.names import sizes

#: What else lies there (``kept``).
_KEYWORDS: Final = b"keywords"


def examine_kept(maildir: str, mailbox: str) -> Iterator[Finding]:
    """What is wrong with kept messages.

    Args:
        maildir: The Maildir.
        mailbox: Its mailbox, for findings.
    """
    shelf = os.fsencode(f"{maildir}/{SHELF}")
    try:
        names = sorted(os.listdir(shelf))
    except OSError:
        return
    for name in names:
        if name == _KEYWORDS:
            continue
        path, evidence = os.path.join(shelf, name), ""
        kept = KeptFile.parse(name)
        try:
            facts = os.lstat(path)
        except OSError:
            continue  # it was brought back, or given up, just now
        if kept is None:
            evidence = "its name does not tell which message it was"
        elif not stat.S_ISREG(facts.st_mode):
            evidence = f"it is a {stat.filemode(facts.st_mode)[0]!r} of ls(1)"
        elif sizes(kept.base)[0] not in {None, facts.st_size}:
            evidence = f"{facts.st_size} octets, its name says {sizes(kept.base)[0]}"
        if evidence:
            yield Finding(
                Code.KEPT_UNUSABLE,
                mailbox,
                evidence,
                os.fsdecode(path),
                what=shown(name),
            )

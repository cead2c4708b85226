"""Where mail comes from in an import, and where it goes in an export.

In this file:
    source     a source from what the administrator named
    journal    where an import notes how far it is
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from maildrop.app.direct import Direct
from maildrop.app.privileges import make_directory
from maildrop.app.schema import Configuration
from maildrop.durable import Disk
from maildrop.mailbox.outside import Source
from maildrop.migration.journal import Journal
from maildrop.storage.index.host import Host
from maildrop.storage.plain.trees import Tree

Reach = Callable[[], AbstractContextManager[object]]


def files(path: str, user: str) -> Source:
    """Files or directories full of mail as a source."""
    return Tree(path, Host.here(), user)


def journal(
    configuration: Configuration, direct: Direct, source: str, user: str, *, again: bool
) -> Journal:
    """The journal of an import.

    Args:
        configuration: Has the state directory.
        direct: The users.
        source: Identity of the source.
        user: Who imports it.
        again: Import once more what was imported.

    Raises:
        MailboxInUse: Somebody imports this source now.
    """
    directory = os.path.join(configuration.state, "imports")
    make_directory(directory, direct.rights)
    return Journal(directory, source, user, Disk(), direct.rights.as_root, again=again)

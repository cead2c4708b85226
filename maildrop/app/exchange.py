"""Where mail comes from in an import, and where it goes in an export.

In this file:
    files      files and directories as a source
    journal    where an import notes how far it is
    target     files as a target
    notes      where an export notes how far it is
"""

import os

from maildrop.app.direct import Direct
from maildrop.app.privileges import make_directory
from maildrop.app.schema import Configuration
from maildrop.durable import Disk, translated
from maildrop.mailbox.outside import Source, Target
from maildrop.migration.exporting import Notes
from maildrop.migration.journal import Journal
from maildrop.storage.index.host import Host
from maildrop.storage.plain.maildir_target import MaildirTarget
from maildrop.storage.plain.mbox_target import MboxTarget
from maildrop.storage.plain.trees import Tree


def files(path: str, user: str, *, renamed: bool) -> Source:
    """Files or directories full of mail as a source; ``Tree`` has the arguments."""
    return Tree(path, Host.here(), user, renamed=renamed)


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
    directory = _directory(configuration, direct, "imports")
    return Journal(directory, source, user, Disk(), direct.rights.as_root, again=again)


def target(path: str, form: str, user: str, *, single: bool, force: bool) -> Target:
    """Files as a target.

    Args:
        path: A file, or a directory.
        form: ``mbox`` or ``maildir``.
        user: Whose mail it is.
        single: Only one mailbox is exported, and it is what ``path`` names.
        force: Use what is there and was not written by an export.
    """
    if form == "mbox":
        return MboxTarget(path, Disk(), single=single, force=force)
    return MaildirTarget(path, Host.here(), user, single=single, force=force)


def notes(
    configuration: Configuration, direct: Direct, target: str, user: str, *, force: bool
) -> Notes:
    """What is noted of exports.

    Args:
        configuration: Has the state directory.
        direct: The users.
        target: Identity of the target.
        user: Whose mail it is.
        force: Begin anew.
    """
    directory = _directory(configuration, direct, "exports")
    return Notes(directory, target, user, Disk(), direct.rights.as_root, forget=force)


def _directory(configuration: Configuration, direct: Direct, name: str) -> str:
    """A directory below the state directory, there after a power cut too."""
    path = os.path.join(configuration.state, name)
    make_directory(path, direct.rights)
    with direct.rights.as_root(), translated(f"sync {configuration.state}"):
        Disk().synchronize_directory(configuration.state)
    return path

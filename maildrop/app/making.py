"""Making the server of a configuration, ready to start.

In this file:
    make    everything wired and every port bound
"""

import os
import tempfile
from typing import Any

from maildrop.app.config import Reading
from maildrop.app.logging import LineObserver
from maildrop.app.parent import Parent
from maildrop.app.privileges import rights
from maildrop.app.service import Maildrop
from maildrop.app.wiring import control_listener, listeners, wire
from maildrop.net.listeners import bind_all


def make(
    reading: Reading,
    reactor: Any,  # noqa: ANN401
    *,
    observer: LineObserver | None = None,
    temporary: tempfile.TemporaryDirectory[str] | None = None,
) -> Maildrop | Parent:
    """The server of a configuration; with several workers, their parent.

    Args:
        reading: The configuration.
        reactor: The reactor.
        observer: The log, None if somebody else keeps it.
        temporary: A state directory that goes away with the server.

    Raises:
        ConfigurationError: Something that was configured cannot be used.
        CannotListen: Ports that cannot be opened, and by which setting.
    """
    configuration = reading.configuration
    owners = rights(configuration.user, os.geteuid())
    wiring = wire(configuration, reactor, owners)
    bound = bind_all([*listeners(reading), control_listener(configuration)])
    for one in bound:
        owner = owners.owner_of(None)
        if one.path is not None and owner is not None:
            os.chown(one.path, *owner)
    if configuration.workers != 1:
        wiring.watcher.close()  # all could be wired; the workers do it for good
        return Parent(reading, reactor, owners, bound, observer=observer)
    return Maildrop(
        reading, reactor, wiring, bound, observer=observer, temporary=temporary
    )

"""Waiting for what others hold.

In this file:
    patient    waits some seconds, but never on the reactor's thread
"""

import time

from twisted.python.threadable import isInIOThread

from maildrop.mailbox.steps import MustWait


def patient(seconds: float) -> None:
    """Wait some seconds.

    Raises:
        MustWait: This is the thread of the reactor, where everybody would wait.
    """
    if isInIOThread():
        raise MustWait("somebody else holds a lock")
    time.sleep(seconds)

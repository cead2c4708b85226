"""Asking the running server.

In this file:
    ask    sends a request over the control socket
"""

from typing import Any

from maildrop.admin.outcome import (
    EX_DATAERR,
    EX_NOPERM,
    EX_UNAVAILABLE,
    Failed,
    Setting,
)
from maildrop.control.client import NotAllowed, NotRunning, Refused, request


def ask(setting: Setting, command: str, **asked: object) -> dict[str, Any]:
    """Send a request; gives the response.

    Raises:
        Failed: maildrop does not run, will not, or may not be asked.
    """
    socket = setting.reading().configuration.control_socket
    try:
        return request(socket, {"command": command, **asked})
    except NotAllowed as error:
        raise Failed(EX_NOPERM, str(error)) from error
    except NotRunning as error:
        raise Failed(EX_UNAVAILABLE, str(error)) from error
    except Refused as error:
        raise Failed(EX_DATAERR, str(error)) from error

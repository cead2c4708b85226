"""Asking a running server, from the command line.

In this file:
    request       one request, one response
    NotRunning    nobody answers on the socket
    NotAllowed    the socket is not for whoever asks
    Refused       the server answered that it will not

One JSON object a line, in ASCII: the server's greeting, the request, the response.

Limits: ``seconds`` for each step, ``largest`` octets for the response.
"""

import json
import socket
from collections.abc import Mapping
from typing import Any, Final

from maildrop.errors import PermanentError, TemporaryError

LARGEST: Final = 1 << 26  # octets


class NotRunning(TemporaryError):
    """No server answers on the socket; the text names it."""


class NotAllowed(NotRunning):
    """Whoever asks may not, so nobody knows whether a server answers."""


class Refused(PermanentError):
    """The server's own words for why it will not."""


def request(
    path: str,
    asked: Mapping[str, object],
    *,
    seconds: float = 15.0,
    largest: int = LARGEST,
) -> dict[str, Any]:
    """Send a request and wait for the response.

    Args:
        path: Of the control socket.
        asked: ``{"command": "status"}`` and so on; see ``control.commands``.
        seconds: For each step of the conversation.
        largest: Octets of the response.

    Raises:
        NotRunning: Nobody answers, or not as a server would.
        Refused: The request cannot be fulfilled.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(
                f"maildrop is not running: nobody answers on {path}"
            ) from error
        except PermissionError as error:
            raise NotAllowed(
                f"{path}: only the user that maildrop runs as, and root, may ask it"
            ) from error
        except OSError as error:
            raise NotRunning(f"{path}: {error.strerror or error}") from error
        try:
            _line(connection, largest)
            connection.sendall(json.dumps(asked).encode() + b"\n")
            response = json.loads(_line(connection, largest))
        except (OSError, ValueError) as error:
            raise NotRunning(f"{path}: no answer: {error}") from error
    if not isinstance(response, dict):
        raise NotRunning(f"{path}: no answer")
    if not response.get("ok"):
        raise Refused(str(response.get("error", "refused")))
    return response


def _line(connection: socket.socket, largest: int) -> bytes:
    """The next line, which nothing follows.

    Raises:
        ValueError: It is too long, or the connection ended before it did.
    """
    pieces: list[bytes] = []
    have = 0
    while True:
        piece = connection.recv(1 << 16)
        if not piece:
            raise ValueError("the connection was closed")
        pieces.append(piece)
        have += len(piece)
        if piece.endswith(b"\n"):
            return b"".join(pieces)
        if have > largest:
            raise ValueError(f"over {largest} octets")

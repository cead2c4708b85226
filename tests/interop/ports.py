"""Ports of the loopback interface, for programs that want to be told one.

In this file:
    free_port    a port that is nobody else's while the tests run
"""

import socket
from typing import Final

#: Sockets that hold the ports; they never listen.
_HELD: Final[list[socket.socket]] = []


def free_port() -> int:
    """A port that a program may be told to listen on.

    A port of a socket that was closed again goes to whoever asks the kernel for any,
    other tests among them, before the program has started, or while it is started anew.
    One that a socket is bound to is given to nobody; and as both sockets have
    SO_REUSEADDR and only the program's listens, it can be bound there nevertheless.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    return port

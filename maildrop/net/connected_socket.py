"""A connected socket: its addresses and its options, as Twisted asks for them.

In this file:
    ConnectedSocket    what ``net.transport`` builds upon
    address_of         a socket address as Twisted writes it
"""

import errno
import socket
import struct
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from maildrop.net.peer import Origin

#: Pieces that sendmsg(2) takes: IOV_MAX of Linux and the BSDs.
_PIECES: Final = 1024
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds


class ConnectedSocket:
    """A TCP or UNIX stream socket.

    Args:
        connection: The socket.
        client: The peer's socket address as ``accept`` gave it.

    Attributes:
        origin: Addresses told by a proxy in front, if one did.
    """

    __slots__ = ("client", "fileno", "origin", "socket")

    def __init__(
        self,
        connection: socket.socket,
        client: Any,  # noqa: ANN401 (a socket address: str, or tuple of 2 or 4)
    ) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.fileno = connection.fileno
        self.client = client
        self.origin: Origin | None = None

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return "connection"

    def send_pieces(self, pieces: list[bytes | memoryview]) -> int:
        """Send what the socket takes now, and take it out of ``pieces``.

        Returns:
            How many octets it took.

        Raises:
            OSError: The connection is broken.
        """
        try:
            sent = rest = self.socket.sendmsg(pieces[:_PIECES])
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return 0
            raise
        done = 0
        for piece in pieces:
            if rest < len(piece):
                pieces[done] = memoryview(piece)[rest:]
                break
            rest -= len(piece)
            done += 1
        del pieces[:done]
        return sent

    def getPeer(self) -> IAddress:
        """The client's address, as a proxy told it or as the kernel knows it."""
        if self.origin is not None:
            return address_of((self.origin.address, self.origin.port))
        return address_of(self.client)

    def getHost(self) -> IAddress:
        """The address that the client connected to."""
        if self.origin is not None:
            return address_of((self.origin.local_address, self.origin.local_port))
        return address_of(self.socket.getsockname())

    def getTcpNoDelay(self) -> bool:
        """Whether small writes leave at once."""
        return bool(self._option(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Whether small writes leave at once; on already, as the port has it."""
        self._set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Whether the kernel asks for silent peers."""
        return bool(self._option(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Whether the kernel asks for silent peers; on already, as the port has it."""
        self._set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    def _option(self, level: int, name: int) -> int:
        if self.socket.family == socket.AF_UNIX:
            return 0
        return self.socket.getsockopt(level, name)

    def _set_option(self, level: int, name: int, value: bool) -> None:
        if self.socket.family != socket.AF_UNIX:
            self.socket.setsockopt(level, name, value)

    def reset_on_close(self) -> None:
        """Let ``close`` drop everything unsent and tell the peer so."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            return  # the peer was quicker


def address_of(name: Any) -> IAddress:  # noqa: ANN401 (str, bytes or tuple)
    """What Twisted calls a socket address of the kernel."""
    if not isinstance(name, tuple):
        return UNIXAddress(name or None)
    kind = IPv6Address if ":" in name[0] else IPv4Address
    return kind("TCP", name[0], name[1])

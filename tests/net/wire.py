"""What the kernel does with a socket, as a test decides."""

import errno
import socket
from collections.abc import Sequence


class Wire:
    """What the kernel does: gives ``incoming``, takes ``room`` octets."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.incoming: list[bytes | OSError] = []
        self.room: int | OSError = 1 << 30
        self.sent = b""
        self.calls: list[str] = []
        self.sizes: list[int] = []

    def recv(self, size: int) -> bytes:
        self.sizes.append(size)
        if not self.incoming:
            raise BlockingIOError(errno.EAGAIN, "nothing")
        first = self.incoming.pop(0)
        if isinstance(first, OSError):
            raise first
        if len(first) > size:
            self.incoming.insert(0, first[size:])
        return first[:size]

    def sendmsg(self, pieces: Sequence[bytes | memoryview]) -> int:
        return self.send(b"".join(pieces))

    def send(self, octets: bytes) -> int:
        if isinstance(self.room, OSError):
            raise self.room
        if not self.room:
            raise BlockingIOError(errno.EAGAIN, "full")
        taken = bytes(octets[: self.room])
        self.calls.append(f"send {len(taken)}")
        self.sent += taken
        self.room -= len(taken)
        return len(taken)

    def shutdown(self, how: int) -> None:
        self.calls.append(f"shutdown {how}")

    def close(self) -> None:
        self.calls.append("close")

    def setsockopt(self, level: int, name: int, value: object) -> None:
        self.calls.append(f"option {name}")

    def getsockopt(self, level: int, name: int) -> int:
        return 1

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.2", 143)

    def setblocking(self, value: bool) -> None:
        assert not value

    def fileno(self) -> int:
        return 99

"""What poplib tells of a maildrop, from answers that are written down."""

import io
import poplib
import socket

import pytest

from maildrop.migration.connecting import Endpoint, ServerFailed
from maildrop.migration.pop3_account import look

SERVER = Endpoint("127.0.0.1", 110)


class Nowhere(socket.socket):
    """Takes what is sent to it."""

    def sendall(self, data: object, flags: int = 0) -> None:
        del data, flags


class Canned(poplib.POP3):
    """poplib, with all answers there already."""

    def __init__(self, answers: bytes) -> None:
        self.file = io.BytesIO(answers)
        self.sock = Nowhere()
        self._debugging = 0

    def __del__(self) -> None:
        self.sock.close()


def test_a_maildrop_has_sizes_and_unique_ids() -> None:
    """RFC 1939 sections 5 and 7."""
    found = look(
        Canned(
            b"+OK 2 300\r\n"
            b"+OK\r\n1 100\r\n2 200 extra\r\n.\r\n"
            b"+OK\r\n1 a.b\r\n2 c\r\n.\r\n"
        ),
        SERVER,
    )
    assert (found.messages, found.octets) == (2, 300)
    assert list(found.sizes) == [100, 200]
    assert found.uidls == [b"a.b", b"c"]


def test_a_server_may_have_no_unique_ids() -> None:
    found = look(Canned(b"+OK 0 0\r\n+OK\r\n.\r\n-ERR what?\r\n"), SERVER)
    assert found.uidls is None


@pytest.mark.parametrize(
    "answers",
    [
        b"",
        b"-ERR\r\n",
        b"+OK 1 1\r\n-ERR\r\n",
        b"+OK 1 1\r\n+OK\r\n2 5\r\n.\r\n",
        b"+OK 1 1\r\n+OK\r\n1 x\r\n.\r\n",
        b"+OK 1 1\r\n+OK\r\n1 5\r\n",
        b"+OK 1 1\r\n+OK\r\n1 5\r\n.\r\n+OK\r\nx a\r\n.\r\n",
    ],
)
def test_anything_else_is_a_failure_of_the_server(answers: bytes) -> None:
    with pytest.raises(ServerFailed, match=r"127\.0\.0\.1:110"):
        look(Canned(answers), SERVER)

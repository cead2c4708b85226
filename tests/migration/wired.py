"""imaplib on a maildrop in memory: no socket between them.

In this file:
    Wired      an imaplib connection to a client of ``tests.imap.conftest``
    account    the mail of alice, as an import or a proof reads it
"""

import imaplib

from maildrop.migration.connecting import Endpoint
from maildrop.migration.imap_account import ImapAccount
from tests.imap.conftest import Client, Served


class Wired(imaplib.IMAP4):
    """imaplib, whose octets go to a server in memory."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._octets = client.greeting
        super().__init__()

    def open(
        self, host: str = "", port: int = 143, timeout: float | None = None
    ) -> None:
        del timeout
        self.host, self.port = host, port

    def send(self, data: object) -> None:
        assert isinstance(data, bytes | bytearray)
        self._octets += self._client.send(bytes(data))

    def read(self, size: int) -> bytes:
        found, self._octets = self._octets[:size], self._octets[size:]
        assert len(found) == size
        return found

    def readline(self) -> bytes:
        return self.read(self._octets.find(b"\n") + 1)  # nothing: the end

    def shutdown(self) -> None:
        self._client.lose()


def account(served: Served, window: int = 3) -> ImapAccount:
    """The mail of alice."""
    connection = Wired(served.connect())
    connection.login("alice", "secret")
    connection.capability()
    _, told = connection.capability()
    connection.capabilities = tuple(told[0].decode().upper().split())
    return ImapAccount(Endpoint("127.0.0.1", 143), connection, window)

"""A mail server that takes all and keeps nothing, for what leaves another.

In this file:
    Sink    listens in a thread of its own
"""

import asyncio
import threading
import time
from typing import Final

_REPLIES: Final = {
    b"EHLO": b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_OK: Final = b"250 ok\r\n"


class Sink:
    """Takes mail, and counts.

    Attributes:
        messages: That were taken.
        first: When the first connection came (monotonic clock); 0 before.
        last: When the last message was taken.
        busy: It takes none for now.
    """

    def __init__(self, port: int) -> None:
        self.messages = 0
        self.first = self.last = 0.0
        self.busy = False
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._listening.wait(10)

    def forget(self) -> None:
        """Count anew."""
        self.messages = 0
        self.first = self.last = 0.0

    def wait_for(self, messages: int, seconds: float) -> None:
        """Wait until so many came.

        Raises:
            TimeoutError: They did not.
        """
        end = time.monotonic() + seconds
        while self.messages < messages:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.messages} of {messages} messages came")
            time.sleep(0.002)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serve = asyncio.start_server(self._talk, "127.0.0.1", self._port, limit=1 << 20)
        self._loop.run_until_complete(serve)
        self._listening.set()
        self._loop.run_forever()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.first = self.first or time.monotonic()
        try:
            if self.busy:
                writer.write(b"421 later\r\n")
                return
            writer.write(b"220 sink.test\r\n")
            while line := await reader.readline():
                verb = line[:4].upper().rstrip()
                writer.write(_REPLIES.get(verb, _OK))
                if verb == b"DATA":
                    await reader.readuntil(b"\r\n.\r\n")
                    self.messages += 1
                    self.last = time.monotonic()
                    writer.write(_OK)
                elif verb == b"QUIT":
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

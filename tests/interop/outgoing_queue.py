"""A queue that sends to other servers, for ``test_smarthost.py``.

Arguments: a configuration file.  Each line of standard input is a JSON object, a
message to be sent: ``id``, ``recipients``, ``text``.  Standard output has a JSON list
for each recipient that is done with: id, address, kind, status code, text.  It ends
with its input, when the queue is empty.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from maildrop.app.config import load
from maildrop.app.privileges import rights
from maildrop.app.relays import open_relays
from maildrop.app.threads import Pool
from maildrop.durable import Content, Disk
from maildrop.queue.entry import Entry, Waiting
from maildrop.queue.runner import Limits, Runner
from maildrop.queue.schedule import Schedule
from maildrop.queue.spool import Spool

clock: Any = reactor


class Told:
    """Prints what became of recipients, and reports to nobody."""

    def report(
        self, entry: Entry, recipients: Sequence[Waiting], content: Content
    ) -> tuple[Entry, Content] | None:
        del content
        for each in recipients:
            status = each.status
            assert status
            fact = [entry.id, each.address, each.kind.value, status.code, status.text]
            os.write(1, json.dumps(fact).encode() + b"\n")
        return None


class Messages(LineOnlyReceiver):
    """Puts what is read into the queue."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 28

    def __init__(self, spool: Spool, runner: Runner, toward: Any) -> None:  # noqa: ANN401
        self._spool = spool
        self._runner = runner
        self._toward = toward

    def lineReceived(self, line: bytes) -> None:
        given = json.loads(line)
        recipients = [
            Waiting(at, address, *self._toward(address.rpartition("@")[2]))
            for at, address in enumerate(given["recipients"])
        ]
        entry = Entry(given["id"], "ann@example.org", clock.seconds(), 0, recipients)
        self._spool.add(entry, Content.of(given["text"].encode()))
        self._runner.added(entry.id)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._end()

    def _end(self) -> None:
        if self._runner.counts[0]:
            clock.callLater(0.05, self._end)
        else:
            clock.stop()


def main(path: str) -> None:
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    configuration = load(path).configuration
    threads = Pool(clock, "queue", 4)
    threads.start()
    relays = open_relays(
        configuration, rights(str(os.geteuid()), os.geteuid()), clock, threads
    )
    directory = os.path.dirname(path)
    spool = Spool(f"{directory}/queue", Disk(), clock.seconds, directory)
    spool.prepare()
    runner = Runner(
        spool,
        relays.relays,
        Told(),
        clock,
        threads,
        Schedule((1,)),
        Limits(rest=0.2),
    )
    Deferred.fromCoroutine(runner.start())
    StandardIO(Messages(spool, runner, relays.toward))
    clock.addSystemEventTrigger("before", "shutdown", relays.stop)
    clock.addSystemEventTrigger("after", "shutdown", threads.stop)
    clock.run()


if __name__ == "__main__":
    main(*sys.argv[1:])

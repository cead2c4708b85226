#!/usr/bin/env python3
"""What the queue and the way out cost.

    export BENCH_STATE=/var/tmp/bench
    ./wayout.py --peers maildrop-relay,postfix-relay --waiting 100k --messages 2k

A server's queue is filled with messages that wait for an hour, and one that is due, all
for another host: a sink in this process.  Taken down are the time and the CPU until it
has the first, and what rest costs.  Then messages of 12 KB are handed in, over one
connection and by many calls of sendmail, and go to the sink.

In this file:
    OPERATIONS    what is done, and how
    Maildrop, Postfix    what differs between servers
    run           all of it, of one server
    table         what was found
"""

import argparse
import base64
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
import benchlib
from growth import _shown, count_of
from sink import Sink
from subject import PEER, USER, Client

SINK: Final = 10026  # as in ``peers/peer``
FAR: Final = "far.test"
OCTETS: Final = 12_288
SMALL: Final = 1000  # octets of what waits
HOUR: Final = 3600.0
REST: Final = 30.0  # seconds of looking at a server that has nothing to do
CALLS: Final = 30  # of sendmail

#: What stands in a row of the table, by result.
TITLES: Final = {
    "first_s": "start to first attempt (s)",
    "first_cpu": "CPU until then (s)",
    "memory": "memory, octets an entry that waits",
    "rest_cpu": "CPU at rest (ms a second)",
    "rest_turns": "times that a thread ran at rest (a second)",
    "relay1": "taken and relayed, 1 sender: CPU a message (ms)",
    "relay1_rate": "the same: messages a second",
    "relay8": "taken and relayed, 8 senders: CPU a message (ms)",
    "relay8_rate": "the same: messages a second",
    "sendmail_cpu": "a call of sendmail: CPU of the call (ms)",
    "sendmail_s": "a call of sendmail: time (ms)",
}


def message(number: int, octets: int = OCTETS) -> bytes:
    """A message of 12 KB, or less; CRLF line ends."""
    head = (
        b"From: <alice@example.test>\r\nTo: <bob%d@%b>\r\nSubject: number %d\r\n"
        b"Date: Mon, 29 Dec 2025 10:00:00 +0000\r\n"
        b"Message-ID: <w%d@example.test>\r\n\r\n"
        % (number, FAR.encode(), number, number)
    )
    line = b"All that is said here is said again in the next line, and so on.\r\n"
    return head + line * ((octets - len(head)) // len(line))


# -- the servers


class Maildrop:
    """maildrop: the queue is written by its own code, but not synced."""

    name = "maildrop-relay"

    def __init__(self) -> None:
        self.state = Path(benchlib.sdir(self.name, "state"))

    def fill(self, waiting: int, sink: Sink) -> None:
        """So many messages wait for an hour, and one is due."""
        from maildrop.durable import Content, Disk
        from maildrop.queue.entry import Entry, Waiting
        from maildrop.queue.spool import Spool

        class Careless(Disk):
            def synchronize(self, fd: int) -> None:
                del fd

            def synchronize_directory(self, path: Any) -> None:
                del path

        del sink
        shutil.rmtree(self.state, ignore_errors=True)
        queue = self.state / "queue"
        now = time.time()
        spool = Spool(str(queue), Careless(), lambda: now, str(self.state))
        spool.prepare()
        (self.state / "queue").chmod(0o711)
        for number in range(waiting + 1):
            to = Waiting(0, f"bob{number}@{FAR}", "smtp", FAR)
            due = now if number == waiting else now + HOUR + number % 1000
            entry = Entry(f"W{number}", "alice@example.test", now, 0, [to], next=due)
            spool.add(entry, Content.of(message(number, SMALL)))
        os.sync()

    def session(self) -> Client:
        """A client that has logged in."""
        client = Client(20587)
        client.line()
        client.say(b"EHLO bench.example.test", b"250 ")
        login = b"\0%b\0%b" % (USER.encode(), benchlib.PASSWORD.encode())
        client.say(b"AUTH PLAIN " + base64.b64encode(login), b"235")
        return client

    sender = f"{USER}@{benchlib.DOMAIN}".encode()

    def sendmail(self) -> list[str]:
        """The command of a program that sends mail."""
        config = benchlib.sdir(self.name, "maildrop.toml")
        here = os.environ.get("MAILDROP_BIN") or os.path.dirname(sys.executable)
        return [f"{here}/maildrop", "--config", config, "sendmail", "-i"]


class Postfix:
    """Postfix: its queue is filled by SMTP, while the sink is busy."""

    name = "postfix-relay"
    sender = b"alice@example.test"

    def __init__(self) -> None:
        self.queue = Path(benchlib.sdir(self.name, "queue"))

    def fill(self, waiting: int, sink: Sink) -> None:
        """So many messages wait for an hour, and one is due."""
        shutil.rmtree(self.queue, ignore_errors=True)
        sink.busy = True
        subprocess.run([PEER, "up", self.name], check=True, stdout=subprocess.DEVNULL)
        _at_once(8, waiting + 1, self, SMALL)
        deferred = self.queue / "deferred"
        found: list[Path] = []
        while len(found) <= waiting:
            time.sleep(1)
            found = [each for each in deferred.glob("?/*") if each.is_file()]
        sink.busy = False
        benchlib.stop(self.name)
        now = time.time()
        for number, path in enumerate(found):
            os.utime(path, (now, now + HOUR if number else now))
        os.sync()

    def session(self) -> Client:
        """A client."""
        client = Client(15026)
        client.line()
        client.say(b"EHLO bench.example.test", b"250 ")
        return client

    def sendmail(self) -> list[str]:
        """The command of a program that sends mail."""
        return ["/usr/sbin/sendmail", "-C", benchlib.sdir(self.name, "conf"), "-i"]


Server = Maildrop | Postfix
SERVERS: Final[dict[str, Callable[[], Server]]] = {
    each.name: each for each in (Maildrop, Postfix)
}


def _send(client: Client, sender: bytes, number: int, octets: bytes) -> None:
    client.say(b"MAIL FROM:<%b>" % sender, b"250")
    client.say(b"RCPT TO:<bob%d@%b>" % (number, FAR.encode()), b"250")
    client.say(b"DATA", b"354")
    client.say(octets + b".", b"250")


def _at_once(senders: int, messages: int, server: Server, octets: int) -> int:
    """Hand messages in over several connections; gives how many.

    Raises:
        ConnectionError: One was not taken.
    """
    shares = [range(at, messages, senders) for at in range(senders)]

    def work(share: range) -> None:
        client = server.session()
        for number in share:
            _send(client, server.sender, number, message(number, octets))
        client.close()

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(work, shares))
    return messages


# -- operations


def _cpu(server: Server) -> float:
    return float(benchlib.Cgroup(server.name).read()["cpu"])


def _turns(server: Server) -> int:
    total = 0
    for pid in benchlib.Cgroup(server.name).pids():
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            lines = status.read_text().splitlines()
            total += sum(int(x.split()[1]) for x in lines if "ctxt_switches" in x)
    return total


def _start(server: Server) -> None:
    subprocess.run([PEER, "up", server.name], check=True, stdout=subprocess.DEVNULL)


def _start_empty(server: Server, sink: Sink) -> None:
    """What earlier runs left in the queue is gone; one message goes out."""
    server.fill(0, sink)
    sink.forget()
    _start(server)
    sink.wait_for(1, 60)


def start(server: Server, sink: Sink, results: dict[str, float], waiting: int) -> None:
    """With nothing in the queue, for its memory; then with all."""
    _start_empty(server, sink)
    time.sleep(2)
    empty = benchlib.Cgroup(server.name).read()["anon"]
    benchlib.stop(server.name)
    server.fill(waiting, sink)
    sink.forget()
    began = time.monotonic()
    _start(server)
    sink.wait_for(1, 120)
    results["first_s"] = sink.first - began
    results["first_cpu"] = _cpu(server)
    time.sleep(3)
    anon = benchlib.Cgroup(server.name).read()["anon"]
    results["memory"] = (anon - empty) / waiting


def rest(server: Server, _: Sink, results: dict[str, float], __: int) -> None:
    """Nothing is due, and nothing comes."""
    time.sleep(10)  # sessions are kept for a while
    cpu, turns = _cpu(server), _turns(server)
    time.sleep(REST)
    results["rest_cpu"] = 1000 * (_cpu(server) - cpu) / REST
    results["rest_turns"] = (_turns(server) - turns) / REST


def relay(
    server: Server, sink: Sink, results: dict[str, float], messages: int
) -> None:
    """Taken, put into the queue, synced, answered; relayed and removed."""
    for senders in (1, 8):
        _at_once(1, 20, server, OCTETS)
        time.sleep(2)
        sink.forget()
        cpu, began = _cpu(server), time.monotonic()
        count = _at_once(senders, messages, server, OCTETS)
        sink.wait_for(count, 300)
        rate = count / (sink.last - began)
        time.sleep(1)
        results[f"relay{senders}"] = 1000 * (_cpu(server) - cpu) / count
        results[f"relay{senders}_rate"] = rate


def sendmail(server: Server, sink: Sink, results: dict[str, float], _: int) -> None:
    """One call after the other; who calls waits until the message is safe."""
    sink.forget()
    times = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(CALLS):
        began = time.monotonic()
        subprocess.run(
            [*server.sendmail(), "-f", server.sender.decode(), f"bob{number}@{FAR}"],
            input=message(number).replace(b"\r\n", b"\n"),
            check=True,
        )
        times.append(time.monotonic() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    results["sendmail_cpu"] = 1000 * used / CALLS
    results["sendmail_s"] = 1000 * statistics.median(times)
    sink.wait_for(CALLS, 120)


Operation = Callable[[Server, Sink, dict[str, float], int], None]
OPERATIONS: Final[dict[str, Operation]] = {
    "start": start,
    "rest": rest,
    "relay": relay,
    "sendmail": sendmail,
}


# -- the run


def run(
    name: str, sink: Sink, waiting: int, messages: int, only: list[str]
) -> dict[str, Any]:
    """All operations on one server."""
    server = SERVERS[name]()
    results: dict[str, float] = {}
    benchlib.stop(name)
    try:
        for operation, do in OPERATIONS.items():
            if operation in only:
                sink.forget()
                if operation != "start" and not benchlib.Cgroup(name).pids():
                    _start_empty(server, sink)
                how_many = waiting if operation == "start" else messages
                do(server, sink, results, how_many)
    finally:
        benchlib.stop(name)
    shown = ", ".join(f"{key} {value:.3f}" for key, value in results.items())
    print(f"{name:16} {waiting:8} {shown}", flush=True)
    return {"server": name, "waiting": waiting, **results}


def table(rows: list[dict[str, Any]]) -> str:
    """The medians in Markdown: a row a result, a column a server."""
    names = list(dict.fromkeys(row["server"] for row in rows))
    lines = [f"| | {' | '.join(names)} |", "|" + "---|" * (1 + len(names))]
    for key, title in TITLES.items():
        cells = []
        for name in names:
            found = [row[key] for row in rows if row["server"] == name and key in row]
            cells.append(_shown(statistics.median(found) if found else None))
        if any(cell != "-" for cell in cells):
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=",".join(SERVERS))
    parser.add_argument("--waiting", default="100k", help="messages in the queue")
    parser.add_argument("--messages", default="1k", help="messages that are relayed")
    parser.add_argument("--reps", type=int, default=1)
    parser.add_argument("--only", default=",".join(OPERATIONS), help="operations")
    parser.add_argument("--json", type=Path, help="append a line for each run here")
    parser.add_argument("--table", type=Path, help="print the table of such lines")
    arguments = parser.parse_args()
    if arguments.table is not None:
        rows = [json.loads(line) for line in arguments.table.read_text().splitlines()]
        print(table(rows))
        return 0
    sink = Sink(SINK)
    only = arguments.only.split(",")
    waiting, messages = count_of(arguments.waiting), count_of(arguments.messages)
    rows = []
    for _ in range(arguments.reps):
        for name in arguments.peers.split(","):
            rows.append(run(name, sink, waiting, messages, only))
            if arguments.json is not None:
                with arguments.json.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print()
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

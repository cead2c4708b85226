#!/usr/bin/env python3
"""What single operations cost in mailboxes of 1,000 messages and of many more.

    export BENCH_STATE=/var/tmp/bench
    ./growth.py --sizes 1k,10k,100k --peers maildrop,dovecot-tuned
    ./growth.py --sizes 1m --only select,cold,deliver --peers maildrop,dovecot-tuned

Each server gets a mailbox of so many small messages and is asked one thing at a time
over one connection; what is taken down is the CPU time of its processes, memory and
the octets of its index files.  All servers run in turn, size by size; the last thing
printed is a table in Markdown.

In this file:
    OPERATIONS what is asked, and how
    run        all of it, of one server
    table      what was found
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
import benchlib
from subject import PEER, USER, Client, Corpus, Subject, imap, message

#: What stands in a row of the table, by operation.
TITLES: Final = {
    "first": "first SELECT ever, no index (ms)",
    "cold": "cold SELECT, server just started (ms)",
    "memory": "memory, octets a message",
    "select": "SELECT (ms)",
    "status": "STATUS (ms)",
    "stat": "POP3 login, STAT, QUIT (ms)",
    "deliver": "delivery by LMTP (ms)",
    "wake": "delivery and IDLE wake-up (ms)",
    "store": "STORE of one flag (ms)",
    "expunge": "STORE and EXPUNGE of the newest (ms)",
    "middle": "STORE and EXPUNGE of one in the middle (ms)",
    "disk": "index files, octets a message",
}


# -- operations


def first(it: Subject) -> None:
    """The index is made from the mail."""
    client = imap(it.ports["imap"])
    with it.measured("first", 1):
        client.say(b"x SELECT INBOX", b"x OK")
    client.say(b"x LOGOUT", b"x OK")
    client.close()


def cold(it: Subject) -> None:
    """The index is read; what the server then holds is the mailbox's."""
    it.stop()
    it.start()
    client = imap(it.ports["imap"])
    client.say(b"x STATUS nowhere (MESSAGES)", b"x NO")
    time.sleep(0.3)
    before = it.read()["anon"]
    with it.measured("cold", 1):
        client.say(b"x SELECT INBOX", b"x OK")
    client.say(b"x NOOP", b"x OK")
    it.results["memory"] = (it.read()["anon"] - before) / it.corpus.count
    client.say(b"x LOGOUT", b"x OK")
    client.close()


def select(it: Subject) -> None:
    """The mailbox is open already."""
    it.client()
    other = imap(it.ports["imap"])
    other.say(b"x SELECT INBOX", b"x OK")
    with it.measured("select", 30):
        for _ in range(30):
            other.say(b"x SELECT INBOX", b"x OK")
    other.close()


def status(it: Subject) -> None:
    """From a session that is not in the mailbox."""
    it.client()
    other = imap(it.ports["imap"])
    line = b"x STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"
    other.say(line, b"x OK")
    with it.measured("status", 50):
        for _ in range(50):
            other.say(line, b"x OK")
    other.close()


def stat(it: Subject) -> None:
    """A poll of the maildrop."""

    def poll() -> None:
        client = Client(it.ports["pop3"])
        client.line()
        client.say(b"USER " + USER.encode(), b"+OK")
        client.say(b"PASS " + benchlib.PASSWORD.encode(), b"+OK")
        client.say(b"STAT", b"+OK")
        client.say(b"QUIT", b"+OK")
        client.close()

    poll()
    with it.measured("stat", 20):
        for _ in range(20):
            poll()


def _lmtp(it: Subject) -> Client:
    client = Client(it.ports["lmtp"])
    client.line()
    client.say(b"LHLO bench.example.test", b"250 ")
    return client


def _deliver(client: Client, number: int) -> None:
    client.say(b"MAIL FROM:<alice@example.test>", b"250")
    client.say(b"RCPT TO:<%b@%b>" % (USER.encode(), benchlib.DOMAIN.encode()), b"250")
    client.say(b"DATA", b"354")
    body = message(number).replace(b"\n", b"\r\n")
    client.say(body + b".", b"250")


def deliver(it: Subject) -> None:
    """One message after the other, into a mailbox that nobody looks at."""
    if it.selected is not None:
        it.selected.say(b"x LOGOUT", b"x OK")
        it.selected.close()
        it.selected = None
    client = _lmtp(it)
    for number in range(5):
        _deliver(client, number)
    times = 60 if it.corpus.count <= 100_000 else 20
    with it.measured("deliver", times):
        for number in range(times):
            _deliver(client, number)
    client.close()


def wake(it: Subject) -> None:
    """The same while a client waits in IDLE, until it has heard."""
    watching = imap(it.ports["imap"])
    watching.say(b"x SELECT INBOX", b"x OK")
    watching.say(b"x IDLE", b"+")
    client = _lmtp(it)
    _deliver(client, 0)
    watching.until(b"* ")
    time.sleep(1.0)
    with it.measured("wake", 20):
        for number in range(20):
            _deliver(client, number)
            while b" EXISTS" not in watching.until(b"* "):
                pass
    client.close()
    watching.say(b"DONE", b"x OK")
    watching.close()


def store(it: Subject) -> None:
    """A flag of a message in the middle, on and off."""
    client = it.client()
    number = it.corpus.count // 2

    def toggle(times: int) -> None:
        for turn in range(times):
            sign = b"-" if turn % 2 else b"+"
            line = b"x STORE %d %bFLAGS.SILENT (\\Flagged)" % (number, sign)
            client.say(line, b"x OK")

    toggle(4)
    with it.measured("store", 100):
        toggle(100)


def _expunge(it: Subject, operation: str, uids: list[int]) -> None:
    client = it.client()
    with it.measured(operation, len(uids)):
        for uid in uids:
            client.say(b"x UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid, b"x OK")
            client.say(b"x EXPUNGE", b"x OK")


def expunge(it: Subject) -> None:
    """The newest messages, one by one."""
    newest = it.newest()
    _expunge(it, "expunge", list(range(newest, newest - 20, -1)))


def middle(it: Subject) -> None:
    """Some in the middle, one by one."""
    half = it.corpus.count // 2
    times = 3 if it.is_mbox else 20
    _expunge(it, "middle", [half + 3 * at for at in range(times)])


def disk(it: Subject) -> None:
    """What lies beside the mail."""
    it.stop()
    it.results["disk"] = it.octets_of_indexes() / it.corpus.count


OPERATIONS: Final[dict[str, Callable[[Subject], None]]] = {
    "first": first,
    "cold": cold,
    "select": select,
    "status": status,
    "stat": stat,
    "store": store,
    "expunge": expunge,
    "middle": middle,
    "deliver": deliver,
    "wake": wake,
    "disk": disk,
}


# -- the run


def run(name: str, count: int, only: list[str]) -> dict[str, Any]:
    """All operations on one server at one size."""
    ports = json.loads(subprocess.check_output([PEER, "ports", name], text=True))
    it = Subject(name, Corpus(count), ports)
    it.stop()
    it.prepare()
    it.start()
    try:
        for operation, do in OPERATIONS.items():
            if operation in {"first", *only}:
                try:
                    do(it)
                except (OSError, ValueError) as error:
                    print(f"{name} {count} {operation} FAILED {error}", flush=True)
                    it.stop()
                    it.start()
    finally:
        it.stop()
        shutil.rmtree(it.home, ignore_errors=True)
    shown = ", ".join(f"{key} {value:.3f}" for key, value in it.results.items())
    print(f"{name:20} {count:8} {shown}", flush=True)
    return {"server": name, "messages": count, **it.results}


def table(rows: list[dict[str, Any]], operations: list[str]) -> str:
    """The results in Markdown: a row an operation and server, a column a size."""
    sizes = sorted({row["messages"] for row in rows})
    names = list(dict.fromkeys(row["server"] for row in rows))
    found = {(row["server"], row["messages"]): row for row in rows}
    lines = [
        "| CPU of the server for | server |"
        + "".join(f" {size:,} |" for size in sizes),
        "|" + "---|" * (2 + len(sizes)),
    ]
    for operation in operations:
        for name in names:
            cells = [found.get((name, size), {}).get(operation) for size in sizes]
            if any(cell is not None for cell in cells):
                shown = "".join(f" {_shown(cell)} |" for cell in cells)
                lines.append(f"| {TITLES[operation]} | {name} |{shown}")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def count_of(text: str) -> int:
    """10k, 1m and the like as a number."""
    factor = {"k": 1000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return int(text.rstrip("kKmM")) * factor


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default="maildrop,dovecot-tuned")
    parser.add_argument("--sizes", default="1k,10k,100k")
    parser.add_argument("--only", default=",".join(OPERATIONS), help="operations")
    parser.add_argument("--json", type=Path, help="append a line for each run here")
    parser.add_argument("--table", type=Path, help="print the table of such lines")
    arguments = parser.parse_args()
    if arguments.table is not None:
        rows = [json.loads(line) for line in arguments.table.read_text().splitlines()]
        print(table(rows, list(TITLES)))
        return 0
    rows = []
    sizes = [count_of(size) for size in arguments.sizes.split(",")]
    for count in sizes:
        for name in arguments.peers.split(","):
            rows.append(run(name, count, arguments.only.split(",")))
            if arguments.json is not None:
                with arguments.json.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
        Corpus(count).remove()
    print()
    print(table(rows, list(TITLES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What can be asked of a running server.

In this file:
    Control       answers requests, for this process and its workers
    Process       what it tells about, given by the wiring
    BadRequest    a request that cannot be understood

Requests and responses are JSON objects.  A response has ``ok``; when that is false,
``error`` says why.

| command | request | response |
|---|---|---|
| ``status`` | | ``version pid started uptime services sessions begun counters`` and
||| ``processes``: ``pid memory sessions started`` of each |
| ``who`` | ``user service address limit`` | ``sessions``, ``more``: how many left out |
| ``kick`` | one of ``session user address`` at least | ``kicked``: how many |
| ``reload`` | | ``restart``: keys whose change needs one |
| ``stop`` | | |
| ``drain`` | | of a worker: no new sessions; it ends after the last |
| ``flush`` | ``ids``: of the queue, none for all | ``due``: entries tried now |

A session is named ``PID.NUMBER``; times are seconds since 1970 UTC, sizes octets.

Limits: ``limit`` sessions in a response, at most ``MOST_SESSIONS``; the oldest first.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from maildrop.errors import MaildropError, ProtocolSyntaxError
from maildrop.metrics import Counters
from maildrop.net.sessions import Session, Sessions
from maildrop.net.workers import Process as Worker, WorkerFailed

MOST_SESSIONS: Final = 10_000
SESSIONS: Final = 1_000


class BadRequest(ProtocolSyntaxError):
    """A request that cannot be understood."""


async def _nothing() -> None:
    """The end of a process that cannot do that."""
    raise BadRequest("this process cannot do that")


async def _no_keys() -> Sequence[str]:
    """A process that has no configuration."""
    return ()


async def _no_queue(ids: Sequence[str]) -> int:
    """A process that does not try the queue."""
    del ids
    return 0


@dataclass(frozen=True, slots=True)
class Process:
    """The process that is asked.

    Attributes:
        version: Of maildrop.
        pid: Its number.
        clock: Time, seconds since 1970 UTC.
        started: When it began.
        sessions: Its sessions.
        counters: Its counters.
        memory: Tells the octets of memory that it has.
        services: Tells what it listens on: ``protocol``, ``endpoint``, ``tls``.
        workers: Tells the workers that serve for it.
        reload: Reads the configuration again, and gives the keys whose change needs a
            restart; may raise ``MaildropError``.
        stop: Ends the server.
        drain: Takes no new sessions and ends after the last.
        flush: Tries entries of the queue now, if this process tries it; how many.
        facts: Tells more for ``status``.
    """

    version: str
    pid: int
    clock: IReactorTime
    started: float
    sessions: Sessions
    counters: Counters
    memory: Callable[[], int]
    services: Callable[[], Sequence[Mapping[str, str]]] = tuple
    workers: Callable[[], Sequence[Worker]] = tuple
    reload: Callable[[], Awaitable[Sequence[str]]] = _no_keys
    stop: Callable[[], Awaitable[None]] = _nothing
    drain: Callable[[], Awaitable[None]] = _nothing
    flush: Callable[[Sequence[str]], Awaitable[int]] = _no_queue
    facts: Callable[[], Mapping[str, object]] = field(default=dict)


class Control:
    """Answers requests.

    Args:
        process: What it tells about.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._commands: dict[
            str, Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
        ] = {
            "status": self._status,
            "who": self._who,
            "kick": self._kick,
            "reload": self._reload,
            "stop": self._stop,
            "drain": self._drain,
            "flush": self._flush,
        }

    @property
    def greeting(self) -> dict[str, Any]:
        """What is said first."""
        return {"maildrop": self._process.version, "pid": self._process.pid}

    async def answer(self, request: object) -> dict[str, Any]:
        """The response to a request."""
        try:
            if not isinstance(request, dict):
                raise BadRequest("a request is a JSON object")
            command = self._commands.get(str(request.get("command")))
            if command is None:
                raise BadRequest(f"the commands are: {', '.join(self._commands)}")
            return {"ok": True, **await command(request)}
        except MaildropError as error:
            return {"ok": False, "error": str(error)}

    async def _ask_workers(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the workers answer; one that is just ending counts for nothing."""
        asked = [worker.ask(request) for worker in self._process.workers()]
        answers: list[dict[str, Any]] = []
        for one in asked:
            try:
                answer = await one
            except WorkerFailed:
                continue
            if answer.get("ok"):
                answers.append(answer)
        return answers

    # -- commands

    async def _status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        sessions = Counter(process.sessions.counts())
        begun = Counter(process.sessions.begun)
        counters = Counter(process.counters.counts())
        processes = [
            {
                "pid": process.pid,
                "memory": process.memory(),
                "sessions": len(process.sessions),
                "started": process.started,
            }
        ]
        for answer in await self._ask_workers(request):
            sessions.update(answer["sessions"])
            begun.update(answer["begun"])
            counters.update(answer["counters"])
            processes += answer["processes"]
        return {
            **process.facts(),
            "version": process.version,
            "pid": process.pid,
            "started": process.started,
            "uptime": process.clock.seconds() - process.started,
            "services": [dict(service) for service in process.services()],
            "sessions": dict(sessions),
            "begun": dict(begun),
            "counters": dict(counters),
            "processes": processes,
        }

    async def _who(self, request: Mapping[str, Any]) -> dict[str, Any]:
        limit = request.get("limit", SESSIONS)
        if not isinstance(limit, int) or not 0 <= limit <= MOST_SESSIONS:
            raise BadRequest(f"limit is a number up to {MOST_SESSIONS}")
        service = _text(request, "service")
        found = [
            session
            for session in self._matching(request)
            if not service or session.service == service
        ]
        listed = [self._told(session) for session in found[:limit]]
        more = len(found) - len(listed)
        for answer in await self._ask_workers(request):
            listed += answer["sessions"]
            more += answer["more"]
        listed.sort(key=lambda told: told["since"])
        return {"sessions": listed[:limit], "more": more + max(0, len(listed) - limit)}

    async def _kick(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if not any(_text(request, key) for key in ("session", "user", "address")):
            raise BadRequest("kick whom? session, user or address is needed")
        found = self._matching(request)
        for session in found:
            session.kick()
        answers = await self._ask_workers(request)
        return {"kicked": len(found) + sum(answer["kicked"] for answer in answers)}

    async def _reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"restart": list(await self._process.reload())}

    async def _stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        await self._process.stop()
        return {}

    async def _drain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        await self._process.drain()
        return {}

    async def _flush(self, request: Mapping[str, Any]) -> dict[str, Any]:
        ids = request.get("ids", [])
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise BadRequest("ids is a list of strings")
        due = await self._process.flush(ids)
        answers = await self._ask_workers(request)
        return {"due": due + sum(answer["due"] for answer in answers)}

    # -- sessions

    def _matching(self, request: Mapping[str, Any]) -> list[Session]:
        name = _text(request, "session")
        number = None
        if name:
            pid, _, digits = name.partition(".")
            if not (pid.isdecimal() and digits.isdecimal() and len(name) < 40):
                raise BadRequest(f"{name!r} is no session: they are like 4711.12")
            number = int(digits) if int(pid) == self._process.pid else 0
        return self._process.sessions.matching(
            number=number,
            user=_text(request, "user"),
            address=_text(request, "address"),
        )

    def _told(self, session: Session) -> dict[str, Any]:
        peer = session.peer
        return {
            "session": f"{self._process.pid}.{session.id}",
            "service": session.service,
            "user": session.user,
            "address": peer.address,
            "port": peer.port,
            "tls": peer.encryption.version if peer.encryption is not None else "",
            "since": session.since,
            "mailbox": session.mailbox,
            "octets_in": session.octets_in,
            "octets_out": session.octets_out,
        }


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key, "")
    if not isinstance(value, str):
        raise BadRequest(f"{key} is a string")
    return value

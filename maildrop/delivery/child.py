"""Programs that are started for others, with their rights, and waited for.

In this file:
    Children    starts them
    Ending      how one ended

A program gets the rights of an account before it begins: the C library's fork and exec
of ``subprocess`` set groups, group and user, all of them for good, in this order, and
fail if one cannot be set.  It is started in a session of its own, so that it can be
killed with all it has started; in the home of the account; with mode 077 for new files;
with no descriptor of ours but its three.  Its input is a file in memory, so it may read
as much of it as it likes and when it likes; its output and errors are read together.

It ends when the program does, whatever its children still do: who starts something that
is to live on may.  When time is over, or the output is beyond all measure, or we have
to stop, everything in its session's group is killed.

A call holds its thread until the program ends.

Limits: seconds; octets of output that are kept, and after which it is killed.

Security: no program is started as root.  Where we are not root, none is started for
anybody but ourselves: it would have our rights, and could reach the mail of all.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from maildrop.mailbox.account import Account

#: Octets read at once.
_READ: Final = 1 << 16
#: Seconds that is waited for the rest of what an ended program has written.
_REST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended.

    Attributes:
        code: Its exit status; -1 if it did not end by itself.
        output: The beginning of what it wrote.
        trouble: Why it did not end by itself, or did not begin; empty if it did both.
        seconds: How long it took.
    """

    code: int
    output: bytes = b""
    trouble: str = ""
    seconds: float = 0.0


class Children:
    """Starts programs.

    Args:
        as_owner: A context in which files are touched with somebody's rights.
        owner_of: The uid and gid an account's programs are to have; None if we have no
            rights but ours.
        timeout: Seconds.
        kept: Octets of output that are kept.
        most: Octets of output after which it is killed.
        own_uid: Who we are.
    """

    def __init__(
        self,
        as_owner: Callable[[Account], AbstractContextManager[object]],
        owner_of: Callable[[Account], tuple[int, int] | None],
        *,
        timeout: float = 900.0,
        kept: int = 4096,
        most: int = 100 << 20,
        own_uid: int | None = None,
    ) -> None:
        self._as_owner = as_owner
        self._owner_of = owner_of
        self._timeout = timeout
        self._kept = kept
        self._most = most
        self._own_uid = os.geteuid() if own_uid is None else own_uid
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Kill what runs; whoever waits for it gets an answer at once."""
        with self._lock:
            self._stopped = True
            for group in self._running:
                _kill(group)

    def objection(self, rights: Account) -> str:
        """Why nothing may be done with somebody's rights; nothing if it may."""
        owner = self._owner_of(rights)
        uid = rights.uid if owner is None else owner[0]
        if uid == 0:
            return "nothing is run as root"
        if owner is None and uid not in {None, self._own_uid}:
            return f"cannot take on the rights of uid {uid}: maildrop is not root"
        if owner is None and self._own_uid == 0:
            return "nothing is run as root"
        return ""

    def run(
        self,
        arguments: Sequence[str],
        rights: Account,
        environment: Mapping[str, str],
        message: Iterable[bytes],
    ) -> Ending:
        """Start a program and wait until it ends.

        Args:
            arguments: Its path and arguments.
            rights: Whose rights it gets.
            environment: All it is told.
            message: What it reads.
        """
        objection = self.objection(rights)
        if objection:
            return Ending(-1, trouble=objection)
        began = time.monotonic()
        try:
            with self._as_owner(rights), contextlib.ExitStack() as open_files:
                stdin = _in_memory(message, open_files)
                reading, writing = os.pipe2(os.O_CLOEXEC)
                open_files.callback(os.close, reading)
                with open(writing, "wb", buffering=0) as output:
                    process = self._start(
                        arguments, rights, environment, stdin, output.fileno()
                    )
                code, text, trouble = self._wait(process, reading, began, open_files)
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return Ending(-1, trouble=f"it cannot be started: {reason}")
        return Ending(code, text, trouble, time.monotonic() - began)

    def _start(
        self,
        arguments: Sequence[str],
        rights: Account,
        environment: Mapping[str, str],
        stdin: int,
        output: int,
    ) -> "subprocess.Popen[bytes]":
        owner = self._owner_of(rights)
        uid, gid = owner or (None, None)
        home = rights.home if os.path.isdir(rights.home or "/") else "/"
        with self._lock:
            if self._stopped:
                raise subprocess.SubprocessError("maildrop stops")
            process = subprocess.Popen(  # noqa: S603 (what files of ours name)
                arguments,
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=home or "/",
                env=environment,
                user=uid,
                group=gid,
                extra_groups=None if owner is None else rights.groups,
                umask=0o077,
                start_new_session=True,
            )
            self._running.add(process.pid)
        return process

    def _wait(
        self,
        process: "subprocess.Popen[bytes]",
        output: int,
        began: float,
        open_files: contextlib.ExitStack,
    ) -> tuple[int, bytes, str]:
        """Exit status, output and trouble."""
        os.set_blocking(output, False)
        heard = _Heard(output, self._kept)
        trouble = ""
        try:
            ended = os.pidfd_open(process.pid)
            open_files.callback(os.close, ended)
            poll = select.poll()
            poll.register(output, select.POLLIN)
            poll.register(ended, select.POLLIN)
            while not trouble:
                left = began + self._timeout - time.monotonic()
                ready = dict(poll.poll(max(left, 0) * 1000))
                if ended in ready:
                    break
                if output in ready and not heard.listen():
                    poll.unregister(output)
                if heard.octets > self._most:
                    trouble = f"it was killed after {heard.octets} octets of output"
                elif left <= 0:
                    trouble = f"it was killed after {self._timeout:g} seconds"
        finally:
            if process.poll() is None:
                _kill(process.pid)
            code = process.wait()
            with self._lock:
                self._running.discard(process.pid)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        if not trouble and poll.poll(_REST * 1000):
            heard.listen()
        if code < 0 and not trouble:
            trouble = f"it was ended by signal {-code}"
            if self._stopped:
                trouble = "maildrop stopped while it ran"
        return code if code >= 0 and not trouble else -1, bytes(heard.text), trouble


class _Heard:
    """What a program has written so far."""

    def __init__(self, fd: int, kept: int) -> None:
        self._fd = fd
        self._kept = kept
        self.text = bytearray()
        self.octets = 0

    def listen(self) -> bool:
        """Read what is there, within reason; False at the end."""
        for _ in range(16):
            try:
                octets = os.read(self._fd, _READ)
            except BlockingIOError:
                return True
            if not octets:
                return False
            self.octets += len(octets)
            self.text += octets[: self._kept - len(self.text)]
        return True


def _in_memory(message: Iterable[bytes], open_files: contextlib.ExitStack) -> int:
    """A file in memory with a message, to be read from its start.

    It belongs to whoever's rights are in use, so that ``/dev/stdin`` can be opened.
    """
    fd = os.memfd_create("message", os.MFD_CLOEXEC)
    open_files.callback(os.close, fd)
    for piece in message:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)

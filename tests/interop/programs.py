"""Programs of other people, run on a maildrop.

In this file:
    Programs    runs them, in a home that nobody else sees

A program that is not there is an error: ``tests/interop/run`` installs all of them.
"""

import contextlib
import os
import pty
import shutil
import subprocess
import threading
from pathlib import Path

from tests.interop.server import PATIENCE


class Programs:
    """Runs programs.

    Args:
        home: An empty directory: their home, and where they work.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LOGNAME": "tester",
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "TMPDIR": str(home),
            "USER": "tester",
        }

    def file(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        """Write a file in the home."""
        path = self.home / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def run(
        self,
        program: str,
        *arguments: object,
        given: bytes = b"",
        status: tuple[int, ...] = (0,),
        seconds: float = PATIENCE,
    ) -> bytes:
        """Run a program to its end; gives what it printed.

        Args:
            program: Its name.
            arguments: Its arguments.
            given: Its standard input.
            status: The exit statuses that are right.
            seconds: Until when it must have ended.
        """
        ended = subprocess.run(
            [self._path(program), *map(str, arguments)],
            input=given,
            capture_output=True,
            cwd=self.home,
            env=self.environment,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode in status, (
            f"{program} ended with {ended.returncode}:\n"
            f"{ended.stdout[-3000:]!r}\n{ended.stderr[-3000:]!r}"
        )
        return ended.stdout

    def in_terminal(
        self, program: str, *arguments: object, seconds: float = PATIENCE
    ) -> bytes:
        """Run a program that wants a terminal; gives what it painted on it."""
        ours, its = pty.openpty()
        painted: list[bytes] = []
        process = subprocess.Popen(
            [self._path(program), *map(str, arguments)],
            stdin=its,
            stdout=its,
            stderr=its,
            cwd=self.home,
            env=self.environment,
            start_new_session=True,
        )
        os.close(its)
        reader = threading.Thread(target=_drain, args=(ours, painted), daemon=True)
        reader.start()
        status: int | str = f"no end in {seconds} s"
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(seconds)
        finally:
            process.kill()
            process.wait()
            reader.join()
            os.close(ours)
        text = b"".join(painted)
        assert status == 0, f"{program}: {status}: {text[-3000:]!r}"
        return text

    def _path(self, program: str) -> str:
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert path, f"{program} is missing: tests/interop/run installs it"
        return path


def _drain(fd: int, painted: list[bytes]) -> None:
    """Read what a program paints, until its terminal closes."""
    while True:
        try:
            octets = os.read(fd, 1 << 16)
        except OSError:  # EIO: nobody holds the other end any more
            return
        if not octets:
            return
        painted.append(octets)

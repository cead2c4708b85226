"""The ``maildrop`` command, where accounts without rights can run it.

The interpreter, and what is installed beside it, may lie below a directory that only
root may enter.  They are mounted at a place of their own (mount(8), --bind).
"""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import click

import maildrop


class Reachable:
    """The command, and ``sendmail``, ``mailq`` and ``newaliases`` beside it.

    Attributes:
        directory: Where they are.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="maildrop-bin-"))
        self.directory.chmod(0o755)
        self._mounted: list[Path] = []

    def __enter__(self) -> Self:
        python = self._mount("python", Path(sys.base_prefix))
        site = self._mount("site", Path(click.__file__).parents[1])
        source = self._mount("source", Path(maildrop.__file__).parents[1] / "maildrop")
        package = self.directory / "package"
        package.mkdir()
        (package / "maildrop").symlink_to(source)
        script = self.directory / "maildrop"
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        script.write_text(
            "#!/bin/sh\n"
            f"PYTHONPATH={package}:{site} exec {python}/bin/{name} -c "
            "'import sys; sys.argv[0] = sys.argv.pop(1); "
            'from maildrop.admin.entry import main; main()\' "$0" "$@"\n'
        )
        script.chmod(0o755)
        for name in ("sendmail", "mailq", "newaliases"):
            (self.directory / name).symlink_to("maildrop")
        return self

    def _mount(self, name: str, what: Path) -> Path:
        place = self.directory / name
        place.mkdir()
        subprocess.run(["/bin/mount", "--bind", what, place], check=True)
        self._mounted.append(place)
        return place

    @property
    def maildrop(self) -> Path:
        """The command."""
        return self.directory / "maildrop"

    @property
    def sendmail(self) -> Path:
        """The same, called ``sendmail``."""
        return self.directory / "sendmail"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for place in reversed(self._mounted):
            subprocess.run(["/bin/umount", "--lazy", place], check=True)
        # Never a tree: what is mounted here is somebody else's.
        for path in sorted(self.directory.rglob("*"), reverse=True):
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()
        with contextlib.suppress(OSError):
            self.directory.rmdir()

"""Users in a file of the test's own, and a clock."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from maildrop.auth.users import Defaults, Users


class Numbers:
    """A host with one user and one group."""

    def uid(self, name: str) -> int:
        return {"vmail": 500}[name]

    def gid(self, name: str) -> int:
        return {"mail": 8}[name]

    def groups(self, uid: int, gid: int | None) -> tuple[int, ...]:
        return (8, 100) if uid == 500 else ()


Open = Callable[..., Users]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passwd(tmp_path: Path) -> Path:
    return tmp_path / "passwd"


@pytest.fixture
def open_users(passwd: Path, clock: Clock) -> Open:
    def opened(
        text: str | None = None,
        *,
        domains: Sequence[str] = (),
        case_sensitive: bool = False,
        keep: int = 10_000,
    ) -> Users:
        if text is not None:
            passwd.write_text(text)
        return Users(
            [str(passwd)],
            Defaults("maildir:~/Maildir", home="/srv/%u"),
            clock,
            domains=domains,
            case_sensitive=case_sensitive,
            numbers=Numbers(),
            keep=keep,
        )

    return opened

"""A small host: users with homes, files of aliases, and a router over them."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path as File

import pytest
from twisted.internet.task import Clock

from maildrop.auth.users import User
from maildrop.delivery.actions import (
    Action,
    Discard,
    Recipient,
    ToAddress,
    ToCommand,
    ToFile,
    ToMailbox,
)
from maildrop.delivery.aliases import Aliases
from maildrop.delivery.forward import Forwards, Includes
from maildrop.delivery.owners import Owners
from maildrop.delivery.routing import Router
from maildrop.delivery.sources import Limits
from maildrop.delivery.srs import SRS
from maildrop.delivery.virtual import Virtual
from maildrop.mailbox.account import Account
from maildrop.mailbox.gate import InThread
from maildrop.smtp.wire.path import Path, path_of

NAMES = ("alice", "bob", "carol", "john+doe", "info@b.example")
DEFAULT = Account("nobody", "/", "", 65534, 65534)


class Host:
    """Users with homes, files of aliases, and a router over them."""

    def __init__(self, directory: File) -> None:
        self.directory = directory
        self.clock = Clock()
        self.uid = os.geteuid()
        self.accounts = {}
        for name in NAMES:
            home = directory / "home" / name
            home.mkdir(parents=True)
            self.accounts[name] = Account(name, str(home), "memory:", self.uid)
        self.limits = Limits(depth=8, targets=10, members=5000)
        self.allowed = frozenset({"aliases", "forward"})
        self.separators = "+-"
        self.keys = [b"secret"]
        self.group = False
        self.in_thread: InThread | None = None
        self._router: Router | None = None

    def address(self, local: str, domain: str) -> User | None:
        for name in (f"{local.lower()}@{domain}", local.lower()):
            if name in self.accounts:
                return User(self.accounts[name])
        return None

    def write(self, name: str, text: str, mode: int = 0o644) -> File:
        """Write a file below the directory."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def forward(
        self, user: str, text: str, detail: str = "", mode: int = 0o644
    ) -> File:
        return self.write(f"home/{user}/.forward{detail}", text, mode)

    @property
    def router(self) -> Router:
        """Over what files there are when it is first asked for."""
        if self._router is None:
            self._router = self._made()
        return self._router

    def _made(self) -> Router:
        aliases, virtual = (
            [str(file)] if (file := self.directory / name).exists() else []
            for name in ("aliases", "virtual")
        )
        uid_of: Callable[[Account], int] = lambda account: account.uid or 0  # noqa: E731
        return Router(
            self,
            ["example.org", "b.example"],
            "mail.example.org",
            in_thread=self.in_thread,
            aliases=Aliases(aliases, self.clock),
            virtual=Virtual(virtual, self.clock),
            forwards=Forwards(
                lambda _: nullcontext(), uid_of, self.clock, group=self.group
            ),
            includes=Includes(lambda _: nullcontext(), uid_of, eager=500),
            owners=Owners(DEFAULT),
            srs=SRS(self.keys, "example.org", self.clock.seconds),
            separators=self.separators,
            allowed=self.allowed,
            limits=self.limits,
        )

    def route(
        self, address: str, *, sender: str = "friend@far.example", whole: bool = False
    ) -> Recipient:
        local, _, domain = address.rpartition("@")
        path = Path(local, domain) if local else Path(address, "")
        reverse = path_of(sender) if sender else None
        return self.router.route_here(path, sender=reverse, whole=whole)

    def shown(self, address: str) -> list[str]:
        """What is done with mail for an address, in few words."""
        return [shown(action) for action in self.route(address).actions]


def shown(action: Action) -> str:
    match action:
        case ToMailbox():
            folder = "" if action.folder == "INBOX" else f"/{action.folder}"
            return action.account.name + folder
        case ToAddress():
            return f"{'later ' * action.later}<{action.path}>"
        case ToCommand():
            return f"|{action.line}"
        case ToFile():
            return action.path
        case Discard():
            return "nowhere"


@pytest.fixture
def host(tmp_path: File) -> Host:
    return Host(tmp_path)

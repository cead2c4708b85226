"""Commands and files that aliases and users' files name, as the configuration says.

In this file:
    Programs         what carries them out, and its threads
    open_programs    makes it
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maildrop.app.privileges import Rights
from maildrop.app.schema import Configuration
from maildrop.app.threads import Pool
from maildrop.auth.users import Users
from maildrop.delivery.actions import COMMAND, FILE
from maildrop.delivery.child import Children
from maildrop.delivery.commands import Commands
from maildrop.delivery.files import Files
from maildrop.mailbox.account import Account
from maildrop.queue.relay import Relay
from maildrop.storage.index.host import Host
from maildrop.storage.plain.deposit import Deposits


@dataclass(frozen=True, slots=True)
class Programs:
    """What carries out commands and files.

    Attributes:
        relays: The relays of the queue for them, by name.
        children: Programs at work.
        threads: Where they are waited for.
    """

    relays: Mapping[str, Relay]
    children: Children
    threads: Pool

    def start(self) -> None:
        """Start the threads."""
        self.threads.start()

    def stop(self) -> None:
        """Kill what runs, and end the threads; what was killed is tried again."""
        self.children.stop()
        self.threads.stop()


def open_programs(
    configuration: Configuration,
    users: Users,
    rights: Rights,
    reactor: Any,  # noqa: ANN401
) -> Programs:
    """What carries out commands and files.

    Args:
        configuration: Says how many, and for how long.
        users: Whose they may be.
        rights: With which it is done.
        reactor: On whose thread results arrive.
    """
    delivery = configuration.delivery
    threads = Pool(reactor, "command", delivery.commands)
    children = Children(
        rights.as_owner, rights.owner_of, timeout=delivery.command_timeout
    )
    account = _account_of(users)
    deposits = Deposits(Host.here, configuration.mail.locks)
    commands = Commands(children, account, threads, per_user=delivery.commands_per_user)
    files = Files(deposits, rights.as_owner, children.objection, account, threads)
    return Programs({COMMAND: commands, FILE: files}, children, threads)


def _account_of(users: Users) -> Callable[[str], Account | None]:
    def account(name: str) -> Account | None:
        user = users.lookup(name)
        return None if user is None else user.account

    return account

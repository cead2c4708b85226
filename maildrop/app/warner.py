"""What happens when a user's mail reaches a part of the quota.

In this file:
    Warner     runs the commands and delivers the messages that are configured
    filled     a message with its variables filled in

A store says that a warning is due (``mailbox.quota.Reached``), on any thread and with
its ledger locked; what follows is done later, and its failure hurts nobody.

The environment of a command is PATH, HOME, and

    QUOTA_USER QUOTA_PERCENT QUOTA_USED QUOTA_LIMIT QUOTA_MESSAGES QUOTA_MESSAGES_LIMIT

Limits: a command is killed after a minute.

Security: a command runs as the user, with the user's groups, in the root directory; no
shell reads its arguments.
"""

import functools
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from maildrop.app.privileges import Rights
from maildrop.app.schema_store import QuotaWarning
from maildrop.delivery.date_time import date_time
from maildrop.durable import Content, open_to_read
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.gate import InThread
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.quota import Counted, Reached

#: Seconds that a command may take.
COMMAND_MAX: Final = 60.0
#: Octets of a message.
_MESSAGE_MAX: Final = 1 << 20
_VARIABLE: Final = re.compile(rb"%([upol%])")
_LINE_END: Final = re.compile(rb"\r?\n")


def filled(template: bytes, account: Account, reached: Reached) -> bytes:
    """A message with its variables filled in, and CRLF line ends."""
    values = {
        b"u": account.name.encode(),
        b"p": b"%d" % reached.percent,
        b"o": b"%d" % reached.used.octets,
        b"l": b"%d" % reached.quota.octets,
        b"%": b"%",
    }
    octets = _VARIABLE.sub(lambda found: values[found[1]], template)
    return _LINE_END.sub(b"\r\n", octets)


def environment(account: Account, reached: Reached) -> dict[str, str]:
    """The environment of a command."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": account.home or "/",
        "QUOTA_USER": account.name,
        "QUOTA_PERCENT": str(reached.percent),
        "QUOTA_USED": str(reached.used.octets),
        "QUOTA_LIMIT": str(reached.quota.octets),
        "QUOTA_MESSAGES": str(reached.used.messages),
        "QUOTA_MESSAGES_LIMIT": str(reached.quota.messages),
    }


class Warner:
    """Does what is configured for warnings.

    Args:
        warnings: What is configured.
        rights: Who a command runs as; what reads the messages.
        reactor: Whose thread the work begins on.
        in_thread: Where commands are waited for.
    """

    _log = Logger()

    def __init__(
        self,
        warnings: Sequence[QuotaWarning],
        rights: Rights,
        reactor: Any,  # noqa: ANN401
        in_thread: InThread,
    ) -> None:
        self._warnings = warnings
        self._rights = rights
        self._reactor = reactor
        self._in_thread = in_thread
        self._post: Post | None = None

    def deliver_to(self, post: Post) -> None:
        """The mail that messages go to."""
        self._post = post

    def __call__(self, account: Account, reached: Reached) -> None:
        """A warning is due; returns at once, and may be called on any thread."""
        self._reactor.callFromThread(self._begin, account, reached)

    def _begin(self, account: Account, reached: Reached) -> None:
        Deferred.fromCoroutine(self.warn(account, reached))

    async def warn(self, account: Account, reached: Reached) -> None:
        """Do all that is configured for it."""
        self._log.info(
            "{user}: {percent} percent of the quota: {octets} octets, {messages} "
            "messages",
            user=account.name,
            percent=reached.percent,
            octets=reached.used.octets,
            messages=reached.used.messages,
        )
        for warning in self._warnings:
            if warning.at != reached.percent:
                continue
            try:
                if warning.command:
                    await self._run(warning.command, account, reached)
                if warning.message:
                    await self._deliver(warning.message, account, reached)
            except (MaildropError, OSError, subprocess.SubprocessError) as error:
                self._log.error(
                    "{user}: quota warning failed: {error}",
                    user=account.name,
                    error=str(error),
                )

    async def _run(
        self, command: Sequence[str], account: Account, reached: Reached
    ) -> None:
        variables = environment(account, reached)
        status = await self._in_thread(
            functools.partial(self._finished, command, variables, account)
        )
        if status:
            self._log.warn(
                "{user}: {command} ended with status {status}",
                user=account.name,
                command=command[0],
                status=status,
            )

    def _finished(
        self, command: Sequence[str], variables: Mapping[str, str], account: Account
    ) -> int:
        owner = self._rights.owner_of(account)
        uid, gid = owner or (None, None)
        return subprocess.run(  # noqa: S603 (the administrator's command, no shell)
            command,
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=uid,
            group=gid,
            extra_groups=None if owner is None else account.groups,
            timeout=COMMAND_MAX,
            check=False,
        ).returncode

    def _template(self, path: str) -> bytes:
        with self._rights.as_root(), open(open_to_read(path), "rb") as file:
            return file.read(_MESSAGE_MAX)

    async def _deliver(self, path: str, account: Account, reached: Reached) -> None:
        if self._post is None:
            return
        template = await self._in_thread(functools.partial(self._template, path))
        date = date_time(self._reactor.seconds()).encode()
        octets = b"Date: " + date + b"\r\n" + filled(template, account, reached)
        mail = await self._post.mail(account)
        inbox = await mail.open("INBOX", fresh=False)
        try:
            message = NewMessage(Content.of(octets), counted=Counted.MOVED)
            await inbox.append([message])
        finally:
            await inbox.leave()

"""Sections of the configuration about the way of mail to mailboxes, commands and files.

In this file:
    Delivery    aliases, ``.forward`` files, commands
"""

from dataclasses import dataclass, field

from maildrop.app import kinds
from maildrop.app.schema_key import key


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happens to mail on its way to a mailbox."""

    aliases: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.PATHS,
            "aliases(5) files, as sendmail and Postfix have them, looked up in this "
            "order. A changed file is seen at once; no newaliases is needed.",
            shown="none",
            example='["/etc/aliases"]',
        ),
    )
    virtual: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.PATHS,
            "virtual(5) files as Postfix has them, looked up in this order, before "
            "aliases: user@domain, user, @domain (a catch-all, for what nobody else "
            "has) or a domain that is ours. A changed file is seen at once.",
            shown="none",
            example='["/etc/maildrop/virtual"]',
        ),
    )
    forward: bool = field(
        default=True,
        metadata=key(
            kinds.YES_NO,
            "Whether the files .forward and .forward+detail in a user's home are "
            "followed. They must belong to the user or root, and nobody else may write "
            "them or a directory above; a file that is not so is left aside, and the "
            "log says why.",
        ),
    )
    programs: tuple[str, ...] = field(
        default=("aliases", "forward"),
        metadata=key(
            kinds.words("aliases", "forward", "include"),
            "Where commands and files may be named: in aliases, in .forward, and in "
            "lists that :include: names.",
        ),
    )
    default_user: str = field(
        default="nobody",
        metadata=key(
            kinds.ACCOUNT,
            "Whose rights a command or file has that a file of root names. Others "
            "have the rights of the owner of the file that names them. Without root "
            "it is not looked at.",
        ),
    )
    group_writable: bool = field(
        default=False,
        metadata=key(
            kinds.YES_NO,
            "Believe files, and directories above them, that their group may write.",
        ),
    )
    command_timeout: float = field(
        default=900.0,
        metadata=key(
            kinds.SECONDS,
            "How long a command may take. After that it is killed with all it started, "
            "and the message is tried again later.",
            example='"15m"',
        ),
    )
    commands: int = field(
        default=20,
        metadata=key(kinds.count(1, 500), "Commands at work at a time."),
    )
    commands_per_user: int = field(
        default=4,
        metadata=key(kinds.count(1, 500), "Commands of one user at a time."),
    )
    members: int = field(
        default=200_000,
        metadata=key(
            kinds.count(1000, 10_000_000), "Recipients that one address may mean."
        ),
    )
    srs: bool = field(
        default=True,
        metadata=key(
            kinds.YES_NO,
            "Whether mail that is forwarded to another host gets a sender address of "
            "ours, which leads reports back to the first sender (SRS). Else hosts that "
            "check SPF (RFC 7208) refuse it.",
        ),
    )

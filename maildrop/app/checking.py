"""Checking the mail of users, with a server beside or without.

In this file:
    Found         a finding of a user, and whether it is repaired
    Checking      looks at one user after the other
    Progress      how far it is
    codes         the table of codes in ``docs/check.md``

``python -m maildrop.app.checking`` writes that table anew; a test tells when it is out
of date.

A user's mail is looked at with the user's rights.  After a repair what was repaired is
looked at once more: ``repaired`` means that it is not found again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from maildrop.app.direct import Direct
from maildrop.app.inspecting import parts
from maildrop.durable import Disk
from maildrop.errors import MaildropError
from maildrop.mailbox.account import Account
from maildrop.storage.findings import Code, Finding, Part, shown

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a user.

    Attributes:
        user: Whose mail it is.
        finding: What was found.
        repaired: It is put right.
        why_not: Why a repair went wrong; empty when none did, or was tried.
    """

    user: str
    finding: Finding
    repaired: bool = False
    why_not: str = ""

    @property
    def open(self) -> bool:
        """Whether something is still to be done."""
        return not (self.repaired or self.finding.note)

    def facts(self) -> dict[str, Any]:
        """What ``--json`` prints; see the manual."""
        finding = self.finding
        return {
            "user": self.user,
            "mailbox": finding.mailbox,
            "code": finding.code.code,
            "uid": finding.uid,
            "path": shown(finding.path),
            "evidence": finding.evidence,
            "derived": finding.derived,
            "note": finding.note,
            "repair": self.why_not or finding.repair,
            "repaired": self.repaired,
        }


@dataclass(slots=True)
class Progress:
    """How far a check is.

    Attributes:
        user: Whose mail is looked at.
        messages: Messages looked at.
        known: Messages there are, as far as is known yet.
    """

    user: str = ""
    messages: int = 0
    known: int = 0
    changed: Callable[["Progress"], None] = field(default=lambda _: None)

    def told(self, messages: int) -> None:
        """So many more were looked at."""
        self.messages += messages
        self.changed(self)


class Checking:
    """Looks at the mail of users.

    Args:
        direct: Their stores.
        repair: Whether to put right what is derived.
        progress: Told how it goes on.
    """

    def __init__(self, direct: Direct, progress: Progress, *, repair: bool) -> None:
        self._direct = direct
        self._progress = progress
        self._repair = repair

    def user(self, name: str) -> Iterator[Found]:
        """Everything found in the mail of a user.

        Raises:
            NoSuchUser: There is none.
        """
        account = self._direct.account(name)
        self._progress.user = name
        with self._direct.rights.as_owner(account):
            found = list(parts(self._direct.stores, account))
            self._progress.known += sum(part.count() for part in found)
            for part in found:
                yield from self._part(account, part)

    def _part(self, account: Account, part: Part) -> Iterator[Found]:
        findings, why_not = self._look(part), ""
        found = [Found(account.name, finding) for finding in findings]
        if self._repair and any(finding.derived for finding in findings):
            try:
                part.repair(findings)
            except MaildropError as error:
                why_not = str(error)
            left = self._look(part)
            found = [
                Found(
                    account.name,
                    finding,
                    repaired=finding not in left and finding.derived,
                    why_not=why_not if finding in left and finding.derived else "",
                )
                for finding in findings
            ]
            found += [Found(account.name, new) for new in left if new not in findings]
        yield from found

    def _look(self, part: Part) -> list[Finding]:
        try:
            return part.check(self._progress.told)
        except MaildropError as error:
            return [Finding(Code.NOT_CHECKED, part.mailbox, str(error))]


#: What stands in the manual before and after the table of codes.
BEFORE: Final = "<!-- codes -->\n"
AFTER: Final = "<!-- end of codes -->\n"


def codes() -> str:
    """The table of codes of the manual."""
    rows = ["| code | what it means | | what is done |", "|---|---|---|---|"]
    for code in Code:
        kind = code.value
        sort = "note" if kind.note else "repaired" if kind.derived else "by hand"
        rows.append(f"| `{code.code}` | {kind.says} | {sort} | {kind.remedy} |")
    return "\n".join(rows) + "\n"


def manual(page: str) -> str:
    """The page of the manual with its table as it should be."""
    before, _, rest = page.partition(BEFORE)
    _, _, after = rest.partition(AFTER)
    return f"{before}{BEFORE}\n{codes()}\n{AFTER}{after}"


def main() -> None:
    """Write the table of ``docs/check.md``, below the current directory, anew."""
    path = "docs/check.md"
    with open(path, encoding="utf-8") as file:
        page = file.read()
    Disk().replace_file(path, manual(page).encode(), 0o644)


if __name__ == "__main__":
    main()

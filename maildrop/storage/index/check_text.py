"""Whether the text that searches look through is that of the messages.

In this file:
    TextCheck      looks at one text file as it is
    repair_text    removes one that is wrong; the next search makes it again
"""

from collections.abc import Iterator, Sequence

from maildrop.storage.findings import Code, Finding, codes_in
from maildrop.storage.index.host import Host
from maildrop.storage.index.ledger import Ledger
from maildrop.storage.index.text_blocks import Entry
from maildrop.storage.index.text_file import TEXT, TextFile


class TextCheck:
    """One text file.

    Args:
        directory: The control directory.
        mailbox: Whose.
        ledger: Has the UIDs, and is read-only.
        host: For the file.
    """

    def __init__(
        self, directory: str, mailbox: str, ledger: Ledger, host: Host
    ) -> None:
        self._path = f"{directory}/{TEXT}"
        self._mailbox = mailbox
        self._file = TextFile(directory, ledger, host)
        self._kept: dict[int, Entry] = {}
        self._upto = -1

    def examine_file(self) -> Iterator[Finding]:
        """What is wrong with the file as a whole."""
        problem = self._file.problem()
        if problem:
            yield self._damaged(problem)

    def examine(self, uid: int, message: bytes) -> Iterator[Finding]:
        """What is wrong with the text of a message.

        Args:
            uid: Its UID; later calls have greater ones.
            message: It, with CRLF line ends.
        """
        if uid > self._upto:
            entries = self._file.entries(uid)
            if entries is None:
                yield self._damaged(f"a wrong checksum, at the text of UID {uid}")
            self._kept = {entry.uid: entry for entry in entries or ()}
            self._upto = entries[-1].uid if entries else uid
        if not self._kept:
            return
        kept = self._kept.get(uid)
        if kept is None:
            yield self._wrong(uid, "there is no text of it among its neighbours'")
        elif kept.known:
            wanted = Entry.of(uid, message, self._file.message_octets)
            if kept != wanted:
                had = len(kept.header) + len(kept.body)
                gives = len(wanted.header) + len(wanted.body)
                yield self._wrong(
                    uid, f"{had} octets, the message gives {gives} others"
                )

    def _damaged(self, evidence: str) -> Finding:
        return Finding(Code.TEXT_DAMAGED, self._mailbox, evidence, self._path)

    def _wrong(self, uid: int, evidence: str) -> Finding:
        return Finding(Code.TEXT_WRONG, self._mailbox, evidence, self._path, uid)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def repair_text(findings: Sequence[Finding], text: TextFile) -> None:
    """Remove the text file if something is wrong with it.

    Args:
        findings: What was found in the mailbox.
        text: Its text.
    """
    if codes_in(findings) & {Code.TEXT_DAMAGED, Code.TEXT_WRONG}:
        text.remove()

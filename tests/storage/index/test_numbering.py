"""A mailbox that gets another UIDVALIDITY, stopped at each change of the disk."""

from contextlib import closing
from pathlib import Path

import pytest

from maildrop.durable import Disk
from maildrop.storage.index.host import Host
from maildrop.storage.index.numbering import renumber
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from tests.crash.stopping import QuickDisk, every_stop
from tests.storage.contract import add, message, opened


def store(directory: Path) -> MaildirStore:
    host = Host.here(QuickDisk())
    return MaildirStore(str(directory), host, Remembered())


@pytest.mark.parametrize("compacted", [True, False])
@pytest.mark.parametrize("torn", [True, False])
def test_it_has_the_old_number_or_the_new_one_and_all_its_messages(
    tmp_path: Path, torn: bool, compacted: bool
) -> None:
    template = tmp_path / "Maildir"
    with closing(store(template)) as made, closing(opened(made)) as mailbox:
        add(mailbox, message("a"), message("b"), message("c"), keywords=("$Keep",))
        mailbox.expunge([2], None)
        if compacted:
            mailbox.ledger.compact()  # type: ignore[attr-defined]
        before = mailbox.table.uid_validity
    after = before + 7

    def operation(directory: Path, disk: Disk) -> None:
        renumber(str(directory), Host.here(disk), after)

    seen = set()
    for directory, finished in every_stop(template, operation, torn=torn):
        with closing(store(directory)) as found, closing(opened(found)) as mailbox:
            table = mailbox.table
            seen.add(table.uid_validity)
            assert list(table.uids) == [1, 3]
            assert table.uid_next >= 4
            assert table.keywords_of(table.keywords[0]) == ["$Keep"]
            assert mailbox.read(3) == message("c")
            assert not finished or (table.uid_validity, table.uid_next) == (after, 4)
    assert seen == {before, after}

"""Taking over a Maildir, and giving it back."""

from pathlib import Path

import pytest

from maildrop.errors import MailboxInUse, PermanentError
from maildrop.mailbox.flags import FLAGGED, SEEN, FlagChange, Operation
from maildrop.storage.foreign import courier, dovecot, giving
from maildrop.storage.foreign.detecting import detect, refuse_busy
from maildrop.storage.foreign.facts import Facts
from maildrop.storage.foreign.maildir import Folder, adopt, folders
from maildrop.storage.foreign.taking import AlreadyServed, Taken
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.mailbox import MaildirMailbox
from maildrop.storage.maildir.store import MaildirStore
from tests.storage.foreign.dovecot_octets import index
from tests.ticking import ticked

UIDLIST = b"""3 V77 N30 G0123
3 P0ld :1000000001.M1P1.h,S=5,W=6
9 :1000000002.M1P1.h
20 :1000000003.M1P1.h
"""


def deliver(root: Path, name: str, octets: bytes = b"A: b\n") -> None:
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / ("cur" if ":" in name else "new") / name).write_bytes(octets)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Maildir that Dovecot served, with a message that it has not seen."""
    root = tmp_path / "Maildir"
    deliver(root, "1000000001.M1P1.h,S=5,W=6:2,S")
    deliver(root, "1000000002.M1P1.h:2,Fab", b"Subject: two\n\nx\n")
    deliver(root, "1000000009.M1P1.h")
    (root / "dovecot-uidlist").write_bytes(UIDLIST)
    (root / "dovecot-keywords").write_bytes(b"0 $Forwarded\n1 Junk\n")
    return root


def taken(
    root: Path, facts: Facts | None, *, dry_run: bool = False, accept_loss: bool = False
) -> Taken:
    return adopt(
        Folder("INBOX", str(root)),
        facts,
        Host.here(),
        lambda above: above + 1,
        dry_run=dry_run,
        accept_loss=accept_loss,
    )


def inbox(root: Path) -> MaildirMailbox:
    return MaildirStore(str(root), Host.here(), Remembered()).open("INBOX")


def seen_by_clients(root: Path) -> dict[int, tuple[int, list[str], bytes]]:
    """Flags, keywords and unique id by UID."""
    mailbox = inbox(root)
    table = mailbox.table
    found = {
        uid: (table.flags[row] & 31, table.keywords_of(table.keywords[row]), uidl)
        for row, (uid, uidl) in enumerate(zip(table.uids, mailbox.uidls(), strict=True))
    }
    mailbox.close()
    return found


def test_numbers_flags_keywords_and_unique_ids_stay(root: Path) -> None:
    report = taken(root, dovecot.read_maildir(str(root)))
    assert (report.state, report.messages, report.new) == ("taken over", 2, 1)
    assert seen_by_clients(root) == {
        3: (SEEN, [], b"0ld"),
        9: (FLAGGED, ["$Forwarded", "Junk"], b"000000090000004d"),
        30: (0, [], b"0000001e0000004d"),
    }
    mailbox = inbox(root)
    assert mailbox.table.uid_validity == 77
    assert list(mailbox.table.sizes) == [6, 19, 6]
    mailbox.close()


def test_names_of_files_and_other_servers_files_stay(root: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    taken(root, dovecot.read_maildir(str(root)))
    seen_by_clients(root)
    assert all(path.read_bytes() == octets for path, octets in before.items())


def test_a_dry_run_changes_nothing(root: Path) -> None:
    before = sorted(root.rglob("*"))
    report = taken(root, dovecot.read_maildir(str(root)), dry_run=True)
    assert (report.state, report.uid_validity, report.uid_next) == ("would be", 77, 30)
    assert sorted(root.rglob("*")) == before


def test_taking_over_again_does_nothing(root: Path) -> None:
    taken(root, dovecot.read_maildir(str(root)))
    before = seen_by_clients(root)
    assert taken(root, dovecot.read_maildir(str(root))).state == "was before"
    assert seen_by_clients(root) == before


def test_a_ledger_that_clients_know_is_left_alone(root: Path) -> None:
    before = seen_by_clients(root)
    with pytest.raises(AlreadyServed, match="served this mailbox already"):
        taken(root, dovecot.read_maildir(str(root)))
    assert seen_by_clients(root) == before


def test_a_ledger_without_messages_is_none_that_clients_know(root: Path) -> None:
    for path in (root / "cur", root / "new"):
        path.rename(root / f"{path.name}.aside")
        path.mkdir()
    assert seen_by_clients(root) == {}
    for path in (root / "cur", root / "new"):
        path.rmdir()
        (root / f"{path.name}.aside").rename(path)
    assert taken(root, dovecot.read_maildir(str(root))).state == "taken over"
    assert sorted(seen_by_clients(root)) == [3, 9, 30]


def test_what_dovecot_has_not_written_into_names_comes_from_its_index(
    root: Path,
) -> None:
    octets = index(
        [(3, 128 | 2, 1, 50), (9, 2, 7, 60)],
        uid_validity=77,
        next_uid=40,
        keywords=(b"Junk", b"$Forwarded", b"rare"),
        highest=60,
        first_recent=9,
    )
    (root / "dovecot.index").write_bytes(octets)
    facts = dovecot.read_maildir(str(root))
    assert facts is not None
    assert facts.remarks == []
    taken(root, facts)
    found = seen_by_clients(root)
    assert found[3][:2] == (FLAGGED, ["Junk"])
    assert found[9][:2] == (FLAGGED, ["$Forwarded", "Junk", "rare"])
    assert sorted(found) == [3, 9, 40]
    mailbox = inbox(root)
    assert list(mailbox.table.mod_seqs)[:2] == [50, 60]
    assert mailbox.table.expunged_since(59) is None
    mailbox.close()
    assert (root / "cur/1000000001.M1P1.h,S=5,W=6:2,Fb").exists()


def test_an_index_of_another_uidvalidity_is_left_aside(root: Path) -> None:
    (root / "dovecot.index").write_bytes(index([(3, 8, 0, 1)], uid_validity=78))
    facts = dovecot.read_maildir(str(root))
    assert facts is not None
    assert "UIDVALIDITY is 78" in facts.remarks[0]


def test_more_keywords_than_there_is_room_for_are_told_before(root: Path) -> None:
    facts = dovecot.read_maildir(str(root))
    assert facts is not None
    facts.more_keywords[3] = tuple(f"k{n}" for n in range(40))
    assert taken(root, facts, dry_run=True).losses[0].startswith("keyword k30 of 1")
    with pytest.raises(PermanentError, match="--accept-loss"):
        taken(root, facts)
    assert taken(root, facts, accept_loss=True).state == "taken over"


def test_courier_numbers_go_on_for_new_messages(root: Path) -> None:
    (root / "dovecot-uidlist").unlink()
    (root / "courierimapuiddb").write_bytes(
        b"1 55 12\n10 1000000002.M1P1.h\n11 1000000001.M1P1.h,S=5,W=6\n"
    )
    (root / "courierpop3dsizelist").write_bytes(
        b"/3 20 66\n1000000001.M1P1.h,S=5,W=6:2,S 6 7:66:0\n"
        b"1000000002.M1P1.h:2,F 19 0:0:0\n"
    )
    keywords = root / "courierimapkeywords"
    keywords.mkdir()
    (keywords / ":list").write_bytes(b"work\nold\n\n1000000002.M1P1.h:1\n")
    (keywords / ".7.1000000002.M1P1.h").write_bytes(b"work\nmore\n")
    (keywords / ".6.1000000002.M1P1.h").write_bytes(b"older\n")
    taken(root, courier.read_maildir(str(root)))
    assert seen_by_clients(root) == {
        10: (FLAGGED, ["work", "more"], b"1000000002.M1P1.h"),
        11: (SEEN, [], b"UID7-66"),
        12: (0, [], b"UID20-66"),
    }
    assert (root / "cur/1000000002.M1P1.h:2,Fab").exists()


def test_a_maildir_that_only_pop3_served_keeps_its_unique_ids(root: Path) -> None:
    (root / "courierpop3dsizelist").write_bytes(
        b"/2 20 66\n1000000001.M1P1.h,S=5,W=6:2,S 6 7:66\n"
    )
    facts = courier.read_maildir(str(root))
    taken(root, facts)
    assert seen_by_clients(root)[1][2] == b"UID7-66"


# -- which server, which folders


def test_the_server_that_wrote_last_is_taken(root: Path) -> None:
    (root / "courierimapuiddb").write_bytes(b"1 1 1\n")
    ticked(root / "courierimapuiddb")
    found = detect([str(root)])
    assert found.server() == "courier"
    assert "dovecot's files are older" in found.sentence()
    assert detect([str(root / "tmp")]).server() == ""


def test_a_server_at_work_is_not_disturbed(root: Path) -> None:
    refuse_busy(str(root))
    (root / "dovecot-uidlist.lock").touch()
    with pytest.raises(MailboxInUse, match="Dovecot is at work"):
        refuse_busy(str(root))


def test_folders_in_utf_8_get_names_in_modified_utf_7(root: Path) -> None:
    deliver(root / ".Gr\u00fc\u00dfe.x", "1.a:2,")
    deliver(root / ".A&B", "1.a:2,")
    deliver(root / ".Plain", "1.a:2,")
    found = {folder.name: folder.renamed for folder in folders(str(root))}
    assert found == {
        "INBOX": "",
        "A&B": f"{root}/.A&-B",
        "Gr\u00fc\u00dfe/x": f"{root}/.Gr&APwA3w-e.x",
        "Plain": "",
    }


def test_folders_in_directories_are_refused_with_a_reason(root: Path) -> None:
    deliver(root / "Work/2024", "1.a:2,")
    with pytest.raises(PermanentError, match=r"LAYOUT=fs.*\.Work\.2024"):
        folders(str(root))


def test_dbox_is_no_maildir(tmp_path: Path) -> None:
    (tmp_path / "mailboxes").mkdir()
    with pytest.raises(PermanentError, match="sdbox or mdbox"):
        folders(str(tmp_path))


# -- giving back


def given_back(root: Path, server: str) -> giving.Given:
    mailbox = inbox(root)
    write = giving.to_courier if server == "courier" else giving.to_dovecot
    try:
        return write(mailbox, Host.here(), dry_run=False, accept_loss=False)
    finally:
        mailbox.close()


def change(root: Path) -> None:
    mailbox = inbox(root)
    put = FlagChange(Operation.ADD, SEEN, ("$Forwarded", "new"))
    mailbox.change_flags([30], put, None)
    mailbox.expunge([9], None)
    mailbox.close()


@pytest.mark.parametrize("server", ["dovecot", "courier"])
def test_what_is_given_back_is_what_the_other_server_reads(
    root: Path, server: str
) -> None:
    taken(root, dovecot.read_maildir(str(root)))
    seen_by_clients(root)
    change(root)
    if server == "courier":
        mailbox = inbox(root)
        with mailbox.ledger.locked():
            batch = mailbox.ledger.batch()
            batch.uidls([3, 30], [b"UID4-5", b"1000000009.M1P1.h"])
            mailbox.ledger.commit(batch)
        mailbox.close()
    before = seen_by_clients(root)
    given_back(root, server)
    read = courier.read_maildir if server == "courier" else dovecot.read_maildir
    facts = read(str(root))
    assert facts is not None
    assert (facts.uid_validity, facts.uid_next) == (77, 31)
    assert sorted(facts.uids.values()) == [3, 30]
    if server == "dovecot":
        assert facts.uidls == {3: b"0ld"}
        assert facts.letters == ["$Forwarded", "Junk", "new"]
        assert (root / "cur/1000000009.M1P1.h:2,PSac").exists()
        assert facts.highest_mod_seq > 1
    else:
        assert facts.uidls == {3: b"UID4-5", 30: b"1000000009.M1P1.h"}
        assert facts.keywords[30] == ("$Forwarded", "new")
        assert not list((root / "new").iterdir())
    assert seen_by_clients(root) == before


def test_what_comes_back_is_taken_over_again(root: Path) -> None:
    taken(root, dovecot.read_maildir(str(root)))
    seen_by_clients(root)
    given_back(root, "dovecot")
    with (root / "dovecot-uidlist").open("ab") as uidlist:
        uidlist.write(b"31 :1000000010.M1P1.h\n")
    deliver(root, "1000000010.M1P1.h:2,S")
    assert taken(root, dovecot.read_maildir(str(root))).state == "taken over"
    assert seen_by_clients(root)[31] == (SEEN, [], b"0000001f0000004d")


def test_what_both_servers_went_on_with_is_refused(root: Path) -> None:
    taken(root, dovecot.read_maildir(str(root)))
    seen_by_clients(root)
    given_back(root, "dovecot")
    deliver(root, "1000000010.M1P1.h:2,S")
    ticked(root / "cur")
    seen_by_clients(root)
    with pytest.raises(AlreadyServed):
        taken(root, dovecot.read_maildir(str(root)))


def test_courier_cannot_have_dovecots_unique_ids(root: Path) -> None:
    taken(root, dovecot.read_maildir(str(root)))
    seen_by_clients(root)
    with pytest.raises(PermanentError, match="POP3 unique ids of 3 messages"):
        given_back(root, "courier")

"""A damaged snapshot of a Maildir's ledger: UIDs stay, the rest is found again."""

import shutil
from pathlib import Path

import pytest

from maildrop.storage.maildir.mailbox import MaildirMailbox
from tests.crash.stopping import QuickDisk
from tests.storage.contract import opened
from tests.storage.maildir.conftest import OpenStore
from tests.storage.maildir.planting import Grounds
from tests.storage.planting import DERIVED, FROM_FILES, damage_section


@pytest.fixture
def grounds(root: Path, open_store: OpenStore) -> Grounds:
    return Grounds(root, lambda: open_store(QuickDisk()))


def told(mailbox: MaildirMailbox) -> object:
    """What clients are told of a mailbox, but MODSEQs."""
    table = mailbox.table
    return (
        table.uid_validity,
        list(table.uids),
        list(table.sizes),
        list(table.dates),
        bytes(table.flags),
        [table.keywords_of(bits) for bits in table.keywords],
        mailbox.uidls(),
        mailbox.read_many(list(table.uids)),
        mailbox.fragments(b"ENVELOPE", list(table.uids)),
    )


@pytest.mark.parametrize("name", [*DERIVED, *FROM_FILES])
def test_clients_see_no_difference(grounds: Grounds, name: str) -> None:
    """RFC 3501 section 2.3.1.1: UIDVALIDITY should change only if it must."""
    mailbox = grounds.open()
    before, mod_seq = told(mailbox), mailbox.table.highest_mod_seq
    mailbox.close()
    damage_section(grounds, name)
    mailbox = grounds.open()
    assert told(mailbox) == before
    assert mailbox.table.highest_mod_seq > mod_seq
    mailbox.close()
    again = grounds.open()
    assert told(again) == before


def test_a_message_whose_name_is_damaged_gets_another_uid(grounds: Grounds) -> None:
    """The others keep theirs; whoever comes back hears which one is gone."""
    before, _ = grounds.octets()
    damage_section(grounds, "names")
    mailbox = grounds.open()
    assert list(mailbox.table.uids) == [2, 3, 4, 5, 7]
    assert mailbox.read(7) == before["INBOX"][1]
    assert 1 in mailbox.table.expunged_uids


def test_names_and_their_places_lost_together_are_lost(grounds: Grounds) -> None:
    _, validity = grounds.octets()
    damage_section(grounds, "names")
    damage_section(grounds, "name")
    assert grounds.octets()[1]["INBOX"] > validity["INBOX"]


@pytest.mark.parametrize("bit", [1, 128])
def test_no_bit_of_the_snapshot_makes_a_uid_name_something_else(
    grounds: Grounds, tmp_path: Path, bit: int
) -> None:
    """RFC 3501 section 2.3.1.1, whichever bit is turned over."""
    (before, validity), root = grounds.octets(), grounds.root
    sound = tmp_path / "sound"
    shutil.copytree(root, sound)
    octets = (root / "maildrop.ledger").read_bytes()
    for at in range(0, len(octets), 17):
        shutil.rmtree(root)
        shutil.copytree(sound, root)
        damaged = bytearray(octets)
        damaged[at] ^= bit
        (root / "maildrop.ledger").write_bytes(damaged)
        mailbox = opened(grounds.open_store())
        uids = list(mailbox.table.uids)
        read = dict(zip(uids, mailbox.read_many(uids), strict=True))
        assert sorted(map(str, read.values())) == sorted(
            map(str, before["INBOX"].values())
        )
        if mailbox.table.uid_validity == validity["INBOX"]:
            known = before["INBOX"]
            assert all(read[uid] == known[uid] for uid in uids if uid in known)
        mailbox.close()

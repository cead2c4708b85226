"""``cyrus.header``, ``cyrus.index``, and a spool as a whole."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import PermanentError
from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN
from maildrop.storage.foreign import cyrus
from maildrop.storage.foreign.cyrus_files import Header, parse_header, parse_index
from maildrop.storage.foreign.facts import Unreadable
from maildrop.storage.foreign.maildir import Folder, adopt
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore

MAGIC = b"\xa1\x02\x8b\x0dCyrus mailbox header\n one\n two\n"
#: Version -> octets of header and record, and where numbers stand in them: last UID,
#: UIDVALIDITY, options, MODSEQ; date (and its width), flags, keywords, MODSEQ.
FORMS = {
    9: (96, 80, (28, 44, 60, 68), (4, 4, 32, 36, 72)),
    10: (96, 88, (28, 44, 60, 68), (4, 4, 32, 36, 80)),
    12: (128, 96, (28, 44, 60, 68), (4, 4, 32, 36, 80)),
    13: (128, 104, (28, 44, 60, 68), (4, 4, 32, 36, 80)),
    15: (160, 104, (28, 44, 60, 68), (4, 4, 32, 36, 80)),
    17: (160, 112, (28, 44, 60, 68), (4, 4, 32, 36, 80)),
    19: (160, 112, (28, 44, 64, 72), (4, 4, 32, 36, 80)),
    20: (192, 144, (88, 92, 64, 72), (8, 8, 36, 40, 80)),
}
#: UID, date, flags, keywords, MODSEQ.
RECORDS = [
    (3, 1_700_000_000, 16 | 2, 1 << 33, 7),
    (4, 1_700_000_001, 1 << 31, 0, 8),
    (9, 1_700_000_002, 1, 1, 9),
]


def sealed(octets: bytearray, version: int) -> bytes:
    if version >= 12:
        octets[-4:] = struct.pack(">I", zlib.crc32(octets[:-4]))
    return bytes(octets)


def index(
    version: int = 20,
    records: Sequence[tuple[int, int, int, int, int]] = RECORDS,
    *,
    uid_validity: int = 77,
    last_uid: int = 12,
    options: int = 1,
) -> bytes:
    size, width, places, (date_at, date_width, flags_at, words_at, mod_at) = FORMS[
        version
    ]
    header = bytearray(size)
    struct.pack_into(">6I", header, 0, 1, 0, version, size, width, len(records))
    for at, value in zip(places, (last_uid, uid_validity, options), strict=False):
        struct.pack_into(">I", header, at, value)
    struct.pack_into(">Q", header, places[3], 15)
    parts = [sealed(header, version)]
    for uid, date, flags, keywords, mod_seq in records:
        record = bytearray(width)
        struct.pack_into(">I", record, 0, uid)
        nanoseconds = date * 1_000_000_000 + 5
        form, value = (">Q", nanoseconds) if date_width == 8 else (">I", date)
        struct.pack_into(form, record, date_at, value)
        struct.pack_into(">I", record, flags_at, flags)
        words = [keywords >> 32 * n & 0xFFFFFFFF for n in range(4)]
        struct.pack_into(">4I", record, words_at, *words)
        struct.pack_into(">Q", record, mod_at, mod_seq)
        parts.append(sealed(record, version))
    return b"".join(parts)


@pytest.mark.parametrize("version", FORMS)
def test_all_versions_say_the_same(version: int) -> None:
    found = parse_index(index(version), "f")
    assert (found.uid_validity, found.uid_next, found.mod_seq) == (77, 13, 15)
    assert found.with_validity
    assert found.knows_seen == (version >= 12)
    assert [(r.uid, r.date, r.flags, r.mod_seq) for r in found.records] == [
        (3, 1_700_000_000, SEEN | FLAGGED, 7),
        (9, 1_700_000_002, ANSWERED, 9),
    ]
    assert [r.keywords for r in found.records] == [1 << 33, 1]


@pytest.mark.parametrize("version", [0, 8, 11, 21])
def test_other_versions_are_refused(version: int) -> None:
    octets = bytearray(index())
    octets[8:12] = version.to_bytes(4, "big")
    with pytest.raises(Unreadable, match="9 to 20 are known"):
        parse_index(bytes(octets), "where")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        index()[:30],
        index()[:-1],
        index(20, [(3, 0, 0, 0, 0), (3, 0, 0, 0, 0)]),
        index()[:100] + b"\xff" + index()[101:],
        index()[:-20] + b"\xff" + index()[-19:],
    ],
)
def test_a_damaged_index_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable, match="where"):
        parse_index(octets, "where")


@given(st.integers(0, len(index(10)) - 1), st.integers(0, 255))
def test_an_index_with_any_octet_changed_is_read_or_refused(
    at: int, octet: int
) -> None:
    octets = bytearray(index(10))  # no checksums
    octets[at] = octet
    try:
        found = parse_index(bytes(octets), "f")
    except Unreadable:
        return
    uids = [record.uid for record in found.records]
    assert uids == sorted(set(uids))


def test_old_headers_have_keywords_in_a_line() -> None:
    octets = MAGIC + b"user.alice\tabc\n$Forwarded  Junk\nalice\tlrs\t\n"
    assert parse_header(octets, "f") == Header(("$Forwarded", "", "Junk"))


def test_new_headers_are_a_list() -> None:
    octets = MAGIC + (
        b'%(T e A %(alice lrs anyone p) I x8 N user.alice.a^b Q "user.alice"'
        b" U ($Forwarded NIL Junk))\n"
    )
    found = parse_header(octets, "f")
    assert found == Header(("$Forwarded", "", "Junk"), "user.alice.a^b")


@pytest.mark.parametrize("octets", [b"", b"\xa1\x02", MAGIC + b"one line"])
def test_what_is_no_header_is_refused(octets: bytes) -> None:
    with pytest.raises(Unreadable, match="where"):
        parse_header(octets, "where")


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    for start in (MAGIC, MAGIC + b"%(", b""):
        try:
            parse_header(start + octets, "f")
        except Unreadable:
            continue


# -- a spool


def put(directory: Path, name: str = "") -> None:
    """A mailbox, as Cyrus leaves it."""
    directory.mkdir(parents=True)
    head = b"\t\n$Forwarded\n\n"
    if name:
        head = f"%(N {name} U ($Forwarded))\n".encode()
    (directory / "cyrus.header").write_bytes(MAGIC + head)
    (directory / "cyrus.index").write_bytes(index())
    (directory / "3.").write_bytes(b"Subject: three\r\n\r\nx\r\n")
    (directory / "4.").write_bytes(b"Subject: expunged\r\n\r\nx\r\n")
    (directory / "9.").write_bytes(b"Subject: nine\r\n\r\nx\r\r\n")


def test_directories_are_mailboxes(tmp_path: Path) -> None:
    put(tmp_path / "alice")
    put(tmp_path / "alice" / "Work" / "a^b")
    found = cyrus.spooled(str(tmp_path / "alice"), "alice")
    assert [mailbox.name for mailbox in found] == ["INBOX", "Work/a.b"]


def test_where_directories_are_numbers_headers_say_the_name(tmp_path: Path) -> None:
    put(tmp_path / "x" / "1", "user.alice")
    put(tmp_path / "x" / "2", "example.org!user.alice.Gr&APwA3w-e")
    put(tmp_path / "x" / "3", "user.bob")
    found = cyrus.spooled(str(tmp_path), "alice")
    assert [mailbox.name for mailbox in found] == ["Gr\u00fc\u00dfe", "INBOX"]


def test_a_directory_without_mailboxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="holds no mailbox of alice"):
        cyrus.spooled(str(tmp_path), "alice")


def test_messages_are_copied_with_their_numbers(tmp_path: Path) -> None:
    put(tmp_path / "alice")
    root = tmp_path / "Maildir"
    host = Host.here()
    store = MaildirStore(str(root), host, Remembered())
    (mailbox,) = cyrus.spooled(str(tmp_path / "alice"), "alice")
    for _ in range(2):  # doing it again does nothing
        cyrus.copy(mailbox, str(root), cyrus.message, host, lambda _: None)
        adopt(
            Folder("INBOX", str(root)),
            cyrus.facts_of(mailbox),
            host,
            lambda above: above + 1,
            dry_run=False,
        )
    inbox = store.open("INBOX")
    table = inbox.table
    assert (table.uid_validity, table.uid_next) == (77, 13)
    assert list(table.uids) == [3, 9]
    assert list(table.dates) == [1_700_000_000, 1_700_000_002]
    assert [bits & 31 for bits in table.flags] == [SEEN | FLAGGED, ANSWERED]
    assert table.keywords_of(table.keywords[1]) == ["$Forwarded"]
    assert list(table.mod_seqs) == [7, 9]
    assert inbox.read(3) == b"Subject: three\r\n\r\nx\r\n"
    assert inbox.read(9) == b"Subject: nine\r\n\r\nx\r\r\n"
    assert inbox.uidls() == [b"77.3", b"77.9"]
    inbox.close()


def test_before_version_12_nobody_knows_what_was_read(tmp_path: Path) -> None:
    put(tmp_path / "alice")
    (tmp_path / "alice" / "cyrus.index").write_bytes(index(10, options=0))
    (mailbox,) = cyrus.spooled(str(tmp_path / "alice"), "alice")
    facts = cyrus.facts_of(mailbox)
    assert facts.losses[0].startswith("which messages were read")
    assert facts.uidl_form == b"%u"


def test_a_message_without_a_file_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "alice")
    (mailbox,) = cyrus.spooled(str(tmp_path / "alice"), "alice")
    with pytest.raises(PermanentError, match="reconstruct"):
        cyrus.message(mailbox, 5)

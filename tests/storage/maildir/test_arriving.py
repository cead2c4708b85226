"""Files of a Maildir that nobody has looked at yet."""

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.mailbox.flags import ANSWERED, FLAGGED, SEEN
from maildrop.storage.maildir.arriving import Arrivals, File, arrivals
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import IN_NEW, base_of, sizes
from maildrop.storage.maildir.scan import split
from tests.storage.maildir.conftest import OpenStore

TEXT = b"Subject: x\n\nhello\n"
BASE = b"1.M2P3.host,S=18,W=21"


def put(root: Path, *names: bytes) -> list[File]:
    """Files in cur/, and in new/ for names that begin with a slash."""
    files = []
    for path in names:
        name, mark = split(path)
        place = root / ("new" if mark else "cur") / os.fsdecode(name)
        place.write_bytes(TEXT)
        os.utime(place, (1000, 1000))
        files.append((base_of(name), path))
    return files


@pytest.fixture
def folder(root: Path, open_store: OpenStore) -> Folder:
    open_store().open("INBOX").close()
    return Folder(str(root))


def test_a_run_has_all_that_names_and_times_say(root: Path, folder: Folder) -> None:
    files = put(root, BASE + b":2,FS", b"/5" + BASE, b"6" + BASE + b":2,R")
    (run,) = arrivals(folder, dict(files), ())
    assert isinstance(run, Arrivals)
    assert run.names == [base for base, _ in files]
    assert list(run.sizes) == [21] * 3
    assert list(run.dates) == [1000] * 3
    assert list(run.flags) == [FLAGGED | SEEN, IN_NEW, ANSWERED]
    listed = folder.list_new(b"/") | folder.list_cur()
    assert list(run.inodes) == [listed[path] for _, path in files]
    folder.close()


@pytest.mark.parametrize(
    "name",
    [
        b"2.host:2,",  # sizes are not said
        b"2.host,S=18:2,",
        b"2.host,W=21,S=18:2,",
        b"2.host,S=17,W=21:2,",  # another size
        b"2.host,S=18,W=21",  # no end in cur/
        b"/2.host,S=18,W=21:2,S",  # one in new/
        b"2.host,S=18,W=21:2,SF",  # letters in another order
        b"2.host,S=18,W=21:2,PS",  # a keyword
        b"2.host,S=18,W=21:2,Sa",
        b"2.host,S=18,W=21,U=5:2,S",
    ],
)
def test_any_other_file_ends_a_run(root: Path, folder: Folder, name: bytes) -> None:
    files = put(root, BASE + b":2,S", name, b"3" + BASE + b":2,")
    run, other, rest = arrivals(folder, dict(files), ())
    assert isinstance(run, Arrivals)
    assert run.names == [files[0][0]]
    assert other == files[1]
    assert isinstance(rest, Arrivals)
    assert rest.names == [files[2][0]]
    folder.close()


def test_a_file_that_was_another_message_ends_a_run(root: Path, folder: Folder) -> None:
    files = put(root, BASE + b":2,S")
    assert list(arrivals(folder, dict(files), {BASE: 3})) == files
    folder.close()


NAMES = st.builds(
    b"%d%b%b%b".__mod__,
    st.tuples(
        st.integers(1, 20),
        st.sampled_from([b".host", b".M2P1.host", b".M10P1.host", b"host"]),
        st.sampled_from([b"", b",S=18,W=21", b",W=21", b",S=18", b",S=9,W=9"]),
        st.sampled_from([b":2,", b":2,S", b":2,FRS", b":2,SF", b":2,Sb", b"", b":1,"]),
    ),
)


def delivered(base: bytes) -> tuple[int, int, bytes]:
    """Second and microsecond of a name, and the name."""
    seconds, dot, rest = base.partition(b".")
    micros = rest[1:].partition(b"P")[0] if rest.startswith(b"M") else b"0"
    return (int(seconds), int(micros), base) if dot else (0, 0, base)


@given(names=st.lists(NAMES, unique_by=base_of, max_size=8))
def test_all_files_come_in_the_order_of_their_delivery(
    names: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("maildir")
    for part in ("new", "cur", "tmp"):
        (root / part).mkdir()
    files = put(root, *names)
    folder = Folder(str(root))
    met = []
    for found in arrivals(folder, dict(files), ()):
        if not isinstance(found, Arrivals):
            met.append(found[0])
            continue
        met += found.names
        for base, size in zip(found.names, found.sizes, strict=True):
            assert sizes(base) == (len(TEXT), size)
    assert met == sorted((base for base, _ in files), key=delivered)
    folder.close()

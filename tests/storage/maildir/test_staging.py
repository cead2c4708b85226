"""Staging: large messages are written in pieces as small ones are at once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from maildrop.durable import Content
from maildrop.mailbox.interfaces import NewMessage
from maildrop.mailbox.steps import finished
from maildrop.storage.index.host import Host
from maildrop.storage.maildir import staging
from maildrop.storage.maildir.folder import Folder
from maildrop.storage.maildir.names import staged_name
from maildrop.storage.maildir.staging import discard, stage


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n"]), min_size=1).map(b"".join),
    st.sampled_from([b"", b"H: x\r\n", b"H: x\r"]),
    st.integers(1, 5),
)
def test_a_message_in_pieces_is_stored_as_one_that_is_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    octets: bytes,
    head: bytes,
    piece: int,
) -> None:
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir(exist_ok=True)
    folder, host = Folder(str(tmp_path)), Host.here()
    found = []
    for length in (1 << 20, piece):
        monkeypatch.setattr(staging, "_PIECE", length)
        message = NewMessage(Content.of(octets), head=head)
        (staged,) = finished(stage(folder, [message], host))
        written = (tmp_path / "tmp" / staged_name(staged.base).decode()).read_bytes()
        found.append((written, staged.size, b",W=" in staged.base))
        discard(folder, [staged], host)
    folder.close()
    assert found[0] == found[1]

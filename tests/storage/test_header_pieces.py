"""What is answered from headers alone is what the whole messages would give."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maildrop.mailbox.interfaces import Store
from maildrop.message.fragments import fragment
from maildrop.storage.index.cache import CACHE
from maildrop.storage.index.host import Host
from maildrop.storage.index.remembered import Remembered
from maildrop.storage.maildir.store import MaildirStore
from maildrop.storage.mbox.store import MboxStore
from tests.storage.contract import add, opened, uids

Open = Callable[[], Store]

KEYS = (
    b"ENVELOPE",
    b"HEADER.POPULAR",
    b"HEADER",
    b"HEADER.FIELDS (DATE SUBJECT)",
    b"HEADER.FIELDS (X-UNUSUAL)",
    b"HEADER.FIELDS.NOT (SUBJECT)",
)
MESSAGES = (
    b"Subject: plain\r\nX-Unusual: yes\r\n\r\nbody\r\n",
    b"\r\nno header\r\n",
    b"\r\n",
    b"Subject: no body\r\n\r\n",
    b"Subject: no empty line\r\n",
    b"Subject: no end of line",
    b"Subject: folded\r\n over\r\n\tlines\r\n\r\n\r\n\r\nbody\r\n",
    b"Subject: bare\rCR\r\nDate: \r\r\n\r\nbody\r\n",
    b"Subject: body with CR CR LF\r\n\r\na\r\r\n\r\n",
    b"Subject: " + b"x" * 9000 + b"\r\nDate: beyond\r\n\r\nbody\r\n",
    b"Subject: many\r\n" + b"X: y\r\n" * 2000 + b"\r\nbody\r\n",
    b"Status: RO\r\nX-Keywords: a\r\nSubject: not of the mbox\r\n\r\nFrom me\r\n",
    b"Subject: large\r\n\r\n" + b"line\r\n" * 20_000,
)


@pytest.fixture(params=["maildir", "mbox"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same store, as another process would."""
    (tmp_path / "control").mkdir()
    host = Host.here(sleep=time.sleep)

    def maildir() -> Store:
        return MaildirStore(str(tmp_path / "Maildir"), host, Remembered())

    def mbox() -> Store:
        inbox, folders, control = (
            str(tmp_path / name) for name in ("inbox", "mail", "control")
        )
        return MboxStore(inbox, folders, control, host, Remembered())

    return maildir if request.param == "maildir" else mbox


@pytest.mark.parametrize("key", KEYS)
def test_headers_alone_say_what_whole_messages_say(
    open_store: Open, tmp_path: Path, key: bytes
) -> None:
    add(opened(open_store()), *MESSAGES)
    for cache in tmp_path.rglob(CACHE):
        cache.unlink()
    inbox = opened(open_store())
    expected = [fragment(message, key) for message in MESSAGES]
    shown = [piece or b"-" for piece in expected]
    found = inbox.fragments(key, uids(inbox))
    assert [piece or b"-" for piece in found] == shown
    again = inbox.fragments(key, uids(inbox))
    assert [piece or b"-" for piece in again] == shown

"""CREATE: RFC 3501 section 6.3.3, RFC 6154 section 3."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, ProtocolSyntaxError
from maildrop.imap.wire import create
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.create import Create
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.syntax import mailbox


def read(octets: bytes, **limits: int) -> Create:
    return create.parse(b"a", Arguments(octets, 0, Limits(**limits)))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b" x", Create(b"a", "x")),
        (b" x (USE ())", Create(b"a", "x")),
        (rb" x (USE (\Sent))", Create(b"a", "x", (r"\Sent",))),
        (
            rb' "a b" (use (\Drafts \Trash))',
            Create(b"a", "a b", (r"\Drafts", r"\Trash")),
        ),
    ],
)
def test_a_mailbox_and_its_use_are_read(octets: bytes, expected: Create) -> None:
    assert read(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" x ()",
        b" x (USE)",
        b" x (USE \\Sent)",
        b" x (USE (\\Sent)",
        b" x (USE (Sent))",
        b" x (USE (\\))",
        b" x (USE (\\Sent  \\Trash))",
        b" x (SIZE 5)",
        b" x USE (\\Sent)",
        b" x(USE (\\Sent))",
    ],
)
def test_what_is_no_create_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_uses_are_limited() -> None:
    assert read(rb" x (USE (\a \b))", items=2).special_use == (r"\a", r"\b")
    with pytest.raises(LimitExceeded):
        read(rb" x (USE (\a \b \c))", items=2)


@given(st.text("abü/. ", min_size=1), st.lists(st.sampled_from([r"\Sent", r"\Junk"])))
def test_what_is_written_reads_back(name: str, uses: list[str]) -> None:
    octets = b" %b (USE (%b))" % (mailbox(name), " ".join(uses).encode())
    assert read(octets) == Create(b"a", name, tuple(uses))

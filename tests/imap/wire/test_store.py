"""STORE: RFC 3501 section 6.4.6."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.imap.wire import store
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.store import Store
from maildrop.message.flags import DELETED, SEEN, SYSTEM_FLAGS, FlagChange, Operation
from maildrop.message.sequence_set import SequenceSet

FIVE = SequenceSet(((5, 5),))
ADD, REMOVE, REPLACE = Operation.ADD, Operation.REMOVE, Operation.REPLACE


def read(octets: bytes) -> Store:
    return store.parse(b"a", Arguments(octets, 0, Limits()))


@pytest.mark.parametrize(
    ("octets", "change", "silent"),
    [
        (rb" 5 FLAGS (\Seen)", FlagChange(REPLACE, SEEN), False),
        (rb" 5 +FLAGS (\Seen)", FlagChange(ADD, SEEN), False),
        (rb" 5 -flags.silent (\sEEN)", FlagChange(REMOVE, SEEN), True),
        (rb" 5 +FLAGS.SILENT \Deleted", FlagChange(ADD, DELETED), True),
        (rb" 5 FLAGS \Seen \Deleted", FlagChange(REPLACE, SEEN | DELETED), False),
        (rb" 5 +FLAGS (\Seen a b)", FlagChange(ADD, SEEN, ("a", "b")), False),
        (b" 5 FLAGS ()", FlagChange(REPLACE), False),
        (rb" 5 +FLAGS (\Recent)", FlagChange(ADD), False),
        (rb" 5 +FLAGS (\Seen) ", FlagChange(ADD, SEEN), False),
    ],
)
def test_a_change_is_read(octets: bytes, change: FlagChange, silent: bool) -> None:
    assert read(octets) == Store(b"a", FIVE, change, silent)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" 5",
        b" 5 FLAGS",
        b" 5 FLAGS ",
        b" FLAGS (a)",
        b" x FLAGS (a)",
        b" 0 +FLAGS (\\Seen)",
        b" 5 *FLAGS (a)",
        b" 5 FLAGS.LOUD (a)",
        b" 5 ++FLAGS (\\Seen)",
        b" 5 FLAGS (a) b",
        b" 5 FLAGS (\\Seen",
        b" 5 FLAGS \\Seen)",
    ],
)
def test_what_is_no_change_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        read(octets)


def test_uid_store_says_so() -> None:
    arguments = Arguments(b" 5 FLAGS ()", 0, Limits())
    assert store.uid(b"a", arguments) == Store(
        b"a", FIVE, FlagChange(REPLACE), uid=True
    )


flags = st.lists(
    st.sampled_from([*SYSTEM_FLAGS, "$MDNSent", "Junk"]), max_size=4, unique=True
)


@given(st.sampled_from(Operation), flags, st.booleans(), st.booleans())
def test_what_is_written_reads_back(
    operation: Operation, names: list[str], silent: bool, by_uid: bool
) -> None:
    item = operation.value + (".SILENT" if silent else "")
    octets = f" 5 {item} ({' '.join(names)})".encode()
    bits = sum(SYSTEM_FLAGS.get(name, 0) for name in names)
    keywords = tuple(name for name in names if name not in SYSTEM_FLAGS)
    change = FlagChange(operation, bits, keywords)
    parse = store.uid if by_uid else store.parse
    arguments = Arguments(octets, 0, Limits())
    assert parse(b"a", arguments) == Store(b"a", FIVE, change, silent, by_uid)


@given(
    st.binary(max_size=20) | st.text("5 +-FLAGS.()\\Seen", max_size=20).map(str.encode)
)
def test_any_octets_parse_or_raise_syntax_error(octets: bytes) -> None:
    try:
        command = read(b" 5 FLAGS " + octets)
    except ProtocolSyntaxError:
        return
    assert command.messages == FIVE

"""The table of commands, and every command in one conversation: RFC 3501 section 6."""

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.errors import PermanentError, ProtocolSyntaxError
from maildrop.imap.wire import commands
from maildrop.imap.wire.arguments import Arguments, UnknownCommand
from maildrop.imap.wire.authenticate import Authenticate
from maildrop.imap.wire.capability import Capability
from maildrop.imap.wire.check import Check
from maildrop.imap.wire.close import Close
from maildrop.imap.wire.commands import COMMANDS, Command
from maildrop.imap.wire.copy import Copy
from maildrop.imap.wire.create import Create
from maildrop.imap.wire.delete import Delete
from maildrop.imap.wire.enable import Enable
from maildrop.imap.wire.events import BadCommand
from maildrop.imap.wire.expunge import Expunge
from maildrop.imap.wire.fetch import FLAGS, UID, Fetch
from maildrop.imap.wire.id_ import Id
from maildrop.imap.wire.idle import Idle
from maildrop.imap.wire.limits import Limits
from maildrop.imap.wire.list_ import List
from maildrop.imap.wire.login import Login
from maildrop.imap.wire.logout import Logout
from maildrop.imap.wire.lsub import Lsub
from maildrop.imap.wire.move import Move
from maildrop.imap.wire.namespace import Namespace
from maildrop.imap.wire.noop import Noop
from maildrop.imap.wire.reader import CommandReader, Event
from maildrop.imap.wire.rename import Rename
from maildrop.imap.wire.search import Search
from maildrop.imap.wire.select import Select
from maildrop.imap.wire.starttls import Starttls
from maildrop.imap.wire.status import Status
from maildrop.imap.wire.store import Store
from maildrop.imap.wire.subscribe import Subscribe
from maildrop.imap.wire.unselect import Unselect
from maildrop.imap.wire.unsubscribe import Unsubscribe
from maildrop.message.criteria import All
from maildrop.message.flags import SEEN, FlagChange, Operation
from maildrop.message.sequence_set import SequenceSet

ONE = SequenceSet(((1, 1),))
TO_LAST = SequenceSet(((2, 0),))
SEEN_TOO = FlagChange(Operation.ADD, SEEN)

PAIRS: list[tuple[bytes, Command]] = [
    (b"a CAPABILITY", Capability(b"a")),
    (b"a capability ", Capability(b"a")),
    (b"a NOOP", Noop(b"a")),
    (b"A.1 nOOp", Noop(b"A.1")),
    (b"a LOGOUT", Logout(b"a")),
    (b"a STARTTLS", Starttls(b"a")),
    (b"a AUTHENTICATE cram-md5", Authenticate(b"a", "CRAM-MD5")),
    (b"a LOGIN joe secret", Login(b"a", "joe", "secret")),
    (b"a SELECT inbox", Select(b"a", "INBOX")),
    (b"a EXAMINE blurdybloop", Select(b"a", "blurdybloop", read_only=True)),
    (b"a CREATE owatagusiam/", Create(b"a", "owatagusiam/")),
    (b"a DELETE foo", Delete(b"a", "foo")),
    (b'a RENAME "a b" c', Rename(b"a", "a b", "c")),
    (b"a SUBSCRIBE #news.comp", Subscribe(b"a", "#news.comp")),
    (b"a UNSUBSCRIBE x", Unsubscribe(b"a", "x")),
    (b'a LIST "" *', List(b"a", "", ("*",))),
    (b'a LSUB "#news." "comp.*"', Lsub(b"a", "#news.", "comp.*")),
    (b"a STATUS x (MESSAGES)", Status(b"a", "x", (b"MESSAGES",))),
    (b"a CHECK", Check(b"a")),
    (b"a CLOSE", Close(b"a")),
    (b"a UNSELECT", Unselect(b"a")),
    (b"a EXPUNGE", Expunge(b"a")),
    (b"a UID EXPUNGE 2:*", Expunge(b"a", TO_LAST)),
    (b"a SEARCH ALL", Search(b"a", All())),
    (b"a uid search ALL", Search(b"a", All(), uid=True)),
    (b"a FETCH 1 FLAGS", Fetch(b"a", ONE, (FLAGS,))),
    (b"a Uid Fetch 1 (FLAGS)", Fetch(b"a", ONE, (UID, FLAGS), uid=True)),
    (rb"a STORE 2:* +FLAGS (\Seen)", Store(b"a", TO_LAST, SEEN_TOO)),
    (rb"a UID STORE 1 +FLAGS \Seen", Store(b"a", ONE, SEEN_TOO, uid=True)),
    (b"a COPY 2:* MEETING", Copy(b"a", TO_LAST, "MEETING")),
    (b"a UID COPY 1 x", Copy(b"a", ONE, "x", uid=True)),
    (b"a MOVE 1 x", Move(b"a", ONE, "x")),
    (b"a UID MOVE 1 inbox", Move(b"a", ONE, "INBOX", uid=True)),
    (b"a ID NIL", Id(b"a")),
    (b"a ENABLE UTF8=ACCEPT", Enable(b"a", (b"UTF8=ACCEPT",))),
    (b"a IDLE", Idle(b"a")),
    (b"a NAMESPACE", Namespace(b"a")),
]
CONVERSATION = b"".join(line + b"\r\n" for line, _ in PAIRS)


def told(*pieces: bytes) -> list[Event]:
    reader = CommandReader(Limits())
    events = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not None:
            events.append(event)
    return events


@pytest.mark.parametrize(("line", "command"), PAIRS)
def test_a_command_is_read(line: bytes, command: Command) -> None:
    assert told(line + b"\r\n") == [command]


@pytest.mark.parametrize("cut", range(len(CONVERSATION)))
def test_cut_anywhere_the_commands_are_the_same(cut: int) -> None:
    expected = [command for _, command in PAIRS]
    assert told(CONVERSATION[:cut], CONVERSATION[cut:]) == expected


def test_every_command_but_append_is_in_the_conversation() -> None:
    """APPEND is not told as one event; ``test_reader`` has it."""
    spoken = {
        name
        for name in COMMANDS
        for line, _ in PAIRS
        if (line.split(b" ", 1)[1] + b" ").upper().startswith(name + b" ")
    }
    assert spoken == set(COMMANDS) - {b"APPEND"}


@pytest.mark.parametrize(
    "line",
    [
        b"a NOOP now",
        b"a CAPABILITY x",
        b"a LOGOUT x",
        b"a STARTTLS x",
        b"a CHECK x",
        b"a CLOSE x",
        b"a UNSELECT x",
        b"a IDLE x",
        b"a NAMESPACE x",
        b"a EXPUNGE 1",
        b"a UID EXPUNGE",
        b"a UID EXPUNGE x",
        b"a DELETE",
        b"a DELETE a b",
        b"a DELETE  a",
        b"a DELETE &bad",
        b"a SUBSCRIBE",
        b"a UNSUBSCRIBE (x)",
        b"a RENAME a",
        b"a RENAME a b c",
        b"a LSUB a",
        b'a LSUB "" (a b)',
        b"a COPY 1",
        b"a COPY x y",
        b"a MOVE 1 ",
        b"a UID MOVE 0 x",
        b"a NOOP\x00",
        b"a NOOP\rb NOOP",
    ],
)
def test_wrong_arguments_are_a_syntax_error(line: bytes) -> None:
    (event,) = told(line + b"\r\n")
    assert isinstance(event, BadCommand)
    assert event.tag == b"a"
    assert isinstance(event.error, ProtocolSyntaxError)


@pytest.mark.parametrize(
    "line", [b"a FOO", b"a UID", b"a UID FOO 1", b"a UID 1", b"a UID NOOP", b"a X-Y z"]
)
def test_a_command_that_does_not_exist_is_unknown(line: bytes) -> None:
    (event,) = told(line + b"\r\n")
    assert isinstance(event, BadCommand)
    assert isinstance(event.error, UnknownCommand)


@pytest.mark.parametrize("name", sorted(COMMANDS))
@settings(max_examples=30)
@given(
    octets=st.binary(max_size=20)
    | st.text('aN1 :*,(){}+\\"\r\n&-', max_size=20).map(str.encode)
)
def test_any_arguments_parse_or_raise(name: bytes, octets: bytes) -> None:
    try:
        command = COMMANDS[name](b"a", Arguments(octets, 0, Limits()))
    except PermanentError:
        return
    assert command.tag == b"a"


def test_every_command_has_a_file_of_its_name() -> None:
    folder = Path(commands.__file__).parent
    files = {path.stem.rstrip("_") for path in folder.glob("*.py")}
    words = {name.split(b" ")[-1].decode().lower() for name in COMMANDS}
    assert words - {"examine"} <= files

"""Which command is possible where, and octets of any kind (RFC 3501 section 3)."""

from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from twisted.logger import capturedLogs

from maildrop.imap.commands.table import COMMANDS
from maildrop.imap.limits import IMAPLimits
from maildrop.imap.wire import commands
from tests.imap.conftest import MESSAGE, Client, Served

#: A line for each command, that is good where it is possible.
LINES = {
    b"APPEND": b"APPEND INBOX {1+}",
    b"AUTHENTICATE": b"AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==",
    b"CAPABILITY": b"CAPABILITY",
    b"CHECK": b"CHECK",
    b"CLOSE": b"CLOSE",
    b"COPY": b"COPY 1 Sent",
    b"CREATE": b"CREATE new",
    b"DELETE": b"DELETE Junk",
    b"ENABLE": b"ENABLE CONDSTORE",
    b"EXAMINE": b"EXAMINE INBOX",
    b"EXPUNGE": b"EXPUNGE",
    b"FETCH": b"FETCH 1 FLAGS",
    b"ID": b"ID NIL",
    b"IDLE": b"IDLE",
    b"LIST": b'LIST "" *',
    b"LOGIN": b"LOGIN alice secret",
    b"LOGOUT": b"LOGOUT",
    b"LSUB": b'LSUB "" *',
    b"MOVE": b"MOVE 1 Sent",
    b"NAMESPACE": b"NAMESPACE",
    b"NOOP": b"NOOP",
    b"RENAME": b"RENAME Junk Spam",
    b"SEARCH": b"SEARCH ALL",
    b"SELECT": b"SELECT INBOX",
    b"STARTTLS": b"STARTTLS",
    b"STATUS": b"STATUS INBOX (MESSAGES)",
    b"STORE": b"STORE 1 FLAGS (\\Seen)",
    b"SUBSCRIBE": b"SUBSCRIBE INBOX",
    b"UID COPY": b"UID COPY 1 Sent",
    b"UID EXPUNGE": b"UID EXPUNGE 1",
    b"UID FETCH": b"UID FETCH 1 FLAGS",
    b"UID MOVE": b"UID MOVE 1 Sent",
    b"UID SEARCH": b"UID SEARCH ALL",
    b"UID STORE": b"UID STORE 1 FLAGS (\\Seen)",
    b"UNSELECT": b"UNSELECT",
    b"UNSUBSCRIBE": b"UNSUBSCRIBE INBOX",
}
BEFORE = {b"AUTHENTICATE", b"LOGIN", b"STARTTLS"}
ALWAYS = {b"CAPABILITY", b"ID", b"LOGOUT", b"NOOP"}
IN_MAILBOX = {
    b"CHECK", b"CLOSE", b"COPY", b"EXPUNGE", b"FETCH", b"MOVE", b"SEARCH", b"STORE",
    b"UID COPY", b"UID EXPUNGE", b"UID FETCH", b"UID MOVE", b"UID SEARCH",
    b"UID STORE", b"UNSELECT",
}  # fmt: skip


def good(client: Client, name: bytes) -> bool:
    """Whether a command is done, to its end."""
    answer = client.say(b"a " + LINES[name])
    if answer == [b"+ Idling"]:
        answer = client.say(b"DONE")
    if name == b"APPEND":
        answer += client.say(b"x")
    return any(line.startswith(b"a OK") for line in answer)


def test_every_command_of_the_wire_has_a_rule_and_a_line_here() -> None:
    assert set(LINES) == set(commands.COMMANDS)
    assert set(COMMANDS) == set(get_args(commands.Command))


@pytest.mark.parametrize("name", sorted(LINES))
def test_before_login(imap: Served, name: bytes) -> None:
    client = imap.connect()
    possible = name in BEFORE | ALWAYS
    assert good(client, name) == possible
    if not possible:
        assert client.say(b"b NOOP") == [b"b OK Noop completed"]


@pytest.mark.parametrize("name", sorted(LINES))
def test_without_a_mailbox(imap: Served, name: bytes) -> None:
    imap.fill(MESSAGE)
    client = imap.login()
    possible = name not in BEFORE | IN_MAILBOX
    assert good(client, name) == possible
    if not possible:
        assert client.say(b"b NOOP") == [b"b OK Noop completed"]


@pytest.mark.parametrize("name", sorted(LINES))
def test_in_a_mailbox(imap: Served, name: bytes) -> None:
    imap.fill(MESSAGE)
    client = imap.selected()
    possible = name not in BEFORE
    assert good(client, name) == possible
    if not possible:
        assert client.say(b"b NOOP") == [b"b OK Noop completed"]


def test_the_answer_says_what_is_missing(imap: Served) -> None:
    client = imap.connect()
    assert client.say(b"a FETCH 1 FLAGS") == [b"a BAD Log in first"]
    client.say(b"b LOGIN alice secret")
    assert client.say(b"c FETCH 1 FLAGS") == [b"c BAD No mailbox is selected"]
    assert client.say(b"d LOGIN alice secret") == [b"d BAD Not possible now"]


# -- a conversation cut anywhere

CONVERSATION = (
    b"a AUTHENTICATE PLAIN\r\n"
    b"AGFsaWNlAHNlY3JldA==\r\n"
    b"b CREATE {6+}\r\nfolder\r\n"
    b"c APPEND folder (\\Seen $Label) {%d+}\r\n%b\r\n"
    b"d SELECT folder\r\n"
    b"e UID FETCH 1:* (FLAGS BODY.PEEK[] ENVELOPE)\r\n"
    b"f STORE 1 +FLAGS.SILENT (\\Deleted)\r\n"
    b"g SEARCH DELETED SUBJECT {3+}\r\none\r\n"
    b"h IDLE\r\n"
    b"DONE\r\n"
    b"i COPY 1 INBOX\r\n"
    b"j EXPUNGE\r\n"
    b'k LIST "" (fold%% "inb*") RETURN (CHILDREN)\r\n'
    b"l XYZZY\r\n"
    b"m LOGOUT\r\n"
) % (len(MESSAGE), MESSAGE)


def conversation(served: Served, cut: int) -> bytes:
    client = served.connect()
    said = client.send(CONVERSATION[:cut]) + client.send(CONVERSATION[cut:])
    client.lose()
    return said


def test_cut_anywhere_the_answers_are_the_same(tmp_path: object) -> None:
    whole = conversation(Served(str(tmp_path)), 0)
    assert whole.count(b" OK ") == 15
    assert b"* SEARCH 1\r\n" in whole
    assert whole.endswith(b"m OK Logout completed\r\n")
    for cut in range(1, len(CONVERSATION)):
        assert conversation(Served(str(tmp_path)), cut) == whole, cut


def test_octet_by_octet_the_answers_are_the_same(tmp_path: object) -> None:
    whole = conversation(Served(str(tmp_path)), 0)
    client = Served(str(tmp_path)).connect()
    parts = [client.send(CONVERSATION[at : at + 1]) for at in range(len(CONVERSATION))]
    assert b"".join(parts) == whole


# -- anything

WORDS = st.sampled_from(
    [
        *LINES.values(),
        b"FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE INTERNALDATE)",
        b"UID FETCH 1:* (BODY[] BODY[HEADER.FIELDS (SUBJECT X%Y)] BODY[1.MIME])",
        b"FETCH 2 (BODY[TEXT]<2.3> RFC822 RFC822.HEADER BODY[7]<0.1>)",
        b"STORE 1:2 +FLAGS (new \\Deleted)",
        b"UID STORE 1,3 -FLAGS.SILENT (\\Deleted)",
        b"SEARCH OR TEXT hello NOT (SEEN LARGER 3) SENTSINCE 1-Jan-2020",
        b"UID SEARCH UID *:1 KEYWORD new HEADER SUBJECT \"\"",
        b"MOVE * Trash", b"UID MOVE 1:* INBOX", b"COPY 1:* ../x",
        b"RENAME INBOX old", b"DELETE INBOX", b"CREATE a/b/", b"DONE",
        b"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% *)", b"LSUB a% %*%",
        b"EXAMINE Trash", b"AUTHENTICATE LOGIN", b"*", b"YWxpY2U=", b"APPEND a {3}",
    ]
)  # fmt: skip
LINE = st.one_of(
    WORDS.map(lambda words: b"a " + words + b"\r\n"),
    st.binary(max_size=30).map(lambda octets: b"a " + octets + b"\r\n"),
    st.binary(max_size=30),
    st.tuples(WORDS, st.integers(0, 60), st.binary(max_size=3)).map(
        lambda it: b"a " + it[0][: it[1]] + it[2] + it[0][it[1] :] + b"\r\n"
    ),
)


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.lists(st.tuples(st.booleans(), LINE), max_size=12), st.booleans())
def test_whatever_clients_send_there_is_no_unhandled_error(
    tmp_path: object, said: list[tuple[bool, bytes]], logged_in: bool
) -> None:
    served = Served(str(tmp_path))
    served.limit(IMAPLimits(bad=1000, bad_before_login=1000))
    served.fill(MESSAGE, MESSAGE, MESSAGE)
    make = served.selected if logged_in else served.connect
    clients = make(), make()
    with capturedLogs() as events:
        for which, octets in said:
            clients[which].send(octets)
        for client in clients:
            client.lose()
    failures = [event for event in events if "log_failure" in event]
    assert failures == []
    assert len(served.site.sessions) == 0

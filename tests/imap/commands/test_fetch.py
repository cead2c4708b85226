"""FETCH and UID FETCH (RFC 3501 section 6.4.5)."""

from collections.abc import Sequence

import pytest

from maildrop.errors import NoSpace
from maildrop.imap.limits import IMAPLimits
from tests.imap.conftest import MESSAGE, Client, Served

LETTER = (
    b"From: Ann <ann@example.org>\r\n"
    b"To: bob@example.net\r\n"
    b"Subject: hello\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n"
    b"\r\n"
    b"--b\r\n"
    b"\r\n"
    b"first part\r\n"
    b"--b\r\n"
    b"Content-Type: text/html\r\n"
    b"\r\n"
    b"<p>second</p>\r\n"
    b"--b--\r\n"
)
TEXT = LETTER.partition(b"\r\n\r\n")[2]
HEAD = LETTER.removesuffix(TEXT)


@pytest.fixture
def client(imap: Served) -> Client:
    """A client in a mailbox with a letter and two short messages, none recent."""
    imap.fill(LETTER, MESSAGE, MESSAGE)
    imap.mailbox().claim_recent()
    return imap.selected()


def literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (b"UID", b"UID 1"),
        (b"FLAGS", b"FLAGS ()"),
        (b"RFC822.SIZE", b"RFC822.SIZE %d" % len(LETTER)),
        (b"INTERNALDATE", b'INTERNALDATE "21-Sep-2026 14:13:20 +0000"'),
        (
            b"ENVELOPE",
            b'ENVELOPE ("Sat, 21 Nov 2026 10:00:00 +0000" "hello"'
            b' (("Ann" NIL "ann" "example.org")) (("Ann" NIL "ann" "example.org"))'
            b' (("Ann" NIL "ann" "example.org")) ((NIL NIL "bob" "example.net"))'
            b" NIL NIL NIL NIL)",
        ),
        (
            b"BODY",
            b'BODY (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 0)'
            b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 13 0) "mixed")',
        ),
        (b"BODY.PEEK[]", b"BODY[] " + literal(LETTER)),
        (b"BODY.PEEK[HEADER]", b"BODY[HEADER] " + literal(HEAD)),
        (b"RFC822.HEADER", b"RFC822.HEADER " + literal(HEAD)),
        (b"BODY.PEEK[TEXT]", b"BODY[TEXT] " + literal(TEXT)),
        (b"BODY.PEEK[1]", b"BODY[1] " + literal(b"first part")),
        (b"BODY.PEEK[2]", b"BODY[2] " + literal(b"<p>second</p>")),
        (
            b"BODY.PEEK[2.MIME]",
            b"BODY[2.MIME] " + literal(b"Content-Type: text/html\r\n\r\n"),
        ),
        (b"BODY.PEEK[3]", b"BODY[3] NIL"),
        (b"BODY.PEEK[1.HEADER]", b"BODY[1.HEADER] NIL"),
        (
            b"BODY.PEEK[HEADER.FIELDS (subject To X-None)]",
            b"BODY[HEADER.FIELDS (SUBJECT TO X-NONE)] "
            + literal(b"To: bob@example.net\r\nSubject: hello\r\n\r\n"),
        ),
        (
            b'BODY.PEEK[HEADER.FIELDS ("X%d")]',
            b'BODY[HEADER.FIELDS ("X%D")] ' + literal(b"\r\n"),
        ),
        (b"BODY.PEEK[]<0.4>", b"BODY[]<0> " + literal(b"From")),
        (b"BODY.PEEK[]<2.4>", b"BODY[]<2> " + literal(b"om: ")),
        (b"BODY.PEEK[1]<6.100>", b"BODY[1]<6> " + literal(b"part")),
        (b"BODY.PEEK[1]<100.1>", b"BODY[1]<100> " + literal(b"")),
        (b"BODY.PEEK[3]<0.10>", b"BODY[3]<0> NIL"),
        (b"BODY.PEEK[HEADER]<0.4>", b"BODY[HEADER]<0> " + literal(b"From")),
    ],
)
def test_items(client: Client, item: bytes, value: bytes) -> None:
    answer = client.send(b"a FETCH 1 (%b)\r\n" % item)
    whole = b"* 1 FETCH (%b)\r\na OK Fetch completed\r\n" % value
    assert answer.lower() == whole.lower()


@pytest.mark.parametrize(
    "items",
    [
        b"BODY.PEEK[TEXT] BODY.PEEK[HEADER]",
        b"BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1] UID",
        b"UID BODY.PEEK[1]<0.3> BODY.PEEK[2]<3.4> FLAGS",
        b"ENVELOPE BODY.PEEK[9] BODY.PEEK[TEXT]<2.1> BODYSTRUCTURE",
    ],
)
def test_several_items_are_those_of_each_alone(client: Client, items: bytes) -> None:
    """In the order asked for, whichever way each of them is read."""
    together = client.send(b"a FETCH 1 (%b)\r\n" % items)
    pieces = []
    for item in _items(items):
        answer = client.send(b"a FETCH 1 (%b)\r\n" % item)
        pieces.append(answer.partition(b"(")[2].rpartition(b")\r\na OK")[0])
    assert together == b"* 1 FETCH (%b)\r\na OK Fetch completed\r\n" % b" ".join(pieces)


def _items(items: bytes) -> list[bytes]:
    """Items of a list; spaces in brackets divide nothing."""
    found = [b""]
    depth = 0
    for octet in items:
        depth += (octet == 91) - (octet == 93)
        if octet == 32 and not depth:
            found.append(b"")
        else:
            found[-1] += bytes([octet])
    return found


def test_macros(client: Client) -> None:
    assert client.say(b"a FETCH 2 FAST")[0] == (
        b'* 2 FETCH (FLAGS () INTERNALDATE "21-Sep-2026 14:13:20 +0000"'
        b" RFC822.SIZE %d)" % len(MESSAGE)
    )
    assert b" ENVELOPE (" in client.say(b"a FETCH 2 ALL")[0]
    assert b" BODY (" in client.say(b"a FETCH 2 FULL")[0]


@pytest.mark.parametrize(
    ("messages", "numbers"),
    [
        (b"1", [1]),
        (b"*", [3]),
        (b"1:*", [1, 2, 3]),
        (b"3:1", [1, 2, 3]),
        (b"3,1", [1, 3]),
        (b"1,1:2,2", [1, 2]),
        (b"*:2", [2, 3]),
    ],
)
def test_which_messages(client: Client, messages: bytes, numbers: list[int]) -> None:
    expected = [b"* %d FETCH (UID %d)" % (number, number) for number in numbers]
    assert client.say(b"a FETCH %b (UID)" % messages)[:-1] == expected
    assert client.say(b"a UID FETCH %b (UID)" % messages)[:-1] == expected


def test_numbers_over_the_last_are_bad_and_uids_are_passed_over(client: Client) -> None:
    """RFC 3501 section 9, "seq-number", and section 6.4.8."""
    for messages in (b"4", b"1:4", b"2,9"):
        assert client.say(b"a FETCH %b (UID)" % messages) == [
            b"a BAD There are not that many messages"
        ]
    assert client.say(b"a UID FETCH 4:9 (UID)")[:-1] == []
    assert client.say(b"a UID FETCH 9:* (UID)")[:-1] == [b"* 3 FETCH (UID 3)"]


def test_an_empty_mailbox_has_no_last_message(imap: Served) -> None:
    client = imap.selected()
    assert client.say(b"a FETCH * FLAGS")[0].startswith(b"a BAD")
    assert client.say(b"a UID FETCH 1:* FLAGS") == [b"a OK Fetch completed"]


def test_uid_fetch_tells_the_uid_once(client: Client) -> None:
    """RFC 3501 section 6.4.8."""
    assert client.say(b"a UID FETCH 1 FLAGS")[0] == b"* 1 FETCH (UID 1 FLAGS ())"
    assert client.say(b"a UID FETCH 1 (FLAGS UID)")[0] == b"* 1 FETCH (FLAGS () UID 1)"


# -- \Seen


@pytest.mark.parametrize(
    ("item", "seen"),
    [
        (b"BODY[]", True),
        (b"BODY[TEXT]", True),
        (b"BODY[1]", True),
        (b"BODY[HEADER]", True),
        (b"BODY[HEADER.FIELDS (SUBJECT)]", True),
        (b"RFC822", True),
        (b"RFC822.TEXT", True),
        (b"RFC822.HEADER", False),
        (b"BODY.PEEK[]", False),
        (b"BODY.PEEK[TEXT]", False),
        (b"BODY", False),
        (b"ENVELOPE", False),
    ],
)
def test_which_items_set_seen(client: Client, item: bytes, seen: bool) -> None:
    answer = client.send(b"a FETCH 2 (%b)\r\n" % item)
    assert answer.endswith(
        (b" FLAGS (\\Seen))\r\n" if seen else b")\r\n") + b"a OK Fetch completed\r\n"
    )
    again = client.send(b"b FETCH 2 (%b)\r\n" % item)
    assert b"FLAGS" not in again
    assert client.say(b"c FETCH 2 FLAGS")[0] == (
        b"* 2 FETCH (FLAGS (\\Seen))" if seen else b"* 2 FETCH (FLAGS ())"
    )


def test_flags_that_are_asked_for_are_those_after_reading(client: Client) -> None:
    answer = client.send(b"a FETCH 2 (FLAGS BODY[TEXT])\r\n")
    assert answer.startswith(b"* 2 FETCH (FLAGS (\\Seen) BODY[TEXT] {7}\r\nhello")
    assert answer.count(b"FLAGS") == 1


def test_a_full_disk_keeps_nobody_from_reading(
    imap: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NoSpace("write ledger")

    monkeypatch.setattr(imap.mailbox(), "change_flags", full)
    answer = client.send(b"a FETCH 2 BODY[TEXT]\r\n")
    assert (
        answer == b"* 2 FETCH (BODY[TEXT] {7}\r\nhello\r\n)\r\na OK Fetch completed\r\n"
    )


# -- messages that are gone


def test_expunged_messages_are_left_out_and_said_so(
    imap: Served, client: Client
) -> None:
    """RFC 2180 section 4.1.3, RFC 5530 section 3."""
    imap.mailbox().expunge([2], None)
    for items in (b"(UID)", b"(UID ENVELOPE)", b"(UID BODY.PEEK[TEXT])"):
        said = client.say(b"a FETCH 1:3 " + items)
        fetched = [line[:16] for line in said if b" FETCH (" in line]
        assert fetched == [b"* 1 FETCH (UID 1", b"* 3 FETCH (UID 3"]
        assert said[-1] == (
            b"a NO [EXPUNGEISSUED] Some of the messages no longer exist"
        )


def test_uid_fetch_passes_over_expunged_messages(imap: Served, client: Client) -> None:
    imap.mailbox().expunge([2], None)
    assert client.say(b"a UID FETCH 2:3 (UID)") == [
        b"* 3 FETCH (UID 3)",
        b"* 2 EXPUNGE",
        b"a OK Fetch completed",
    ]


@pytest.mark.parametrize("items", [b"BODY[]", b"ENVELOPE", b"BODY[]<0.5>"])
def test_a_message_whose_octets_are_gone_is_left_out(
    imap: Served, client: Client, items: bytes
) -> None:
    del imap.mailbox()._octets[1]
    said = client.say(b"a FETCH 1 (%b)" % items)
    assert said == [b"a NO [EXPUNGEISSUED] Some of the messages no longer exist"]


# -- much


def test_many_messages_in_many_spans(imap: Served) -> None:
    imap.fill(*[MESSAGE] * 1300)
    client = imap.selected()
    odd = b",".join(b"%d" % number for number in range(1, 1300, 2))
    assert [line.split()[4] for line in client.say(b"a FETCH %b (UID)" % odd)[:-1]] == [
        b"%d)" % number for number in range(1, 1300, 2)
    ]
    said = client.send(b"a FETCH 1:* (BODY.PEEK[])\r\n")
    assert said.count(MESSAGE) == 1300


def test_large_messages_are_sent_a_few_at_a_time(imap: Served) -> None:
    large = b"Subject: large\r\n\r\n" + b"x" * 200_000 + b"\r\n"
    imap.fill(large, large, large, MESSAGE)
    client = imap.selected()
    client.server.pauseProducing()
    first = client.send(b"a FETCH 1:* (BODY.PEEK[])\r\n")
    assert len(first) < 201_000
    client.server.resumeProducing()
    rest = client.heard()
    assert (first + rest).count(large) == 3
    assert rest.endswith(b"a OK Fetch completed\r\n")


def test_a_message_fetched_in_pieces_is_read_once(
    imap: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap.fill(LETTER)
    client = imap.selected()
    selected = client.server.session.selected
    assert selected is not None
    reads: list[Sequence[int]] = []
    read_many = selected.mailbox.read_many

    async def counted(uids: Sequence[int]) -> list[bytes | None]:
        reads.append(uids)
        return await read_many(uids)

    monkeypatch.setattr(selected.mailbox, "read_many", counted)
    whole = b""
    for start in range(0, len(TEXT), 10):
        answer = client.send(b"a UID FETCH 1 (BODY.PEEK[TEXT]<%d.10>)\r\n" % start)
        whole += answer.partition(b"}\r\n")[2].rpartition(b")\r\na OK")[0]
    assert whole == TEXT
    assert len(reads) == 1
    client.send(b"a UID FETCH 1 (BODY.PEEK[1]<0.10>)\r\n")
    assert len(reads) == 2


def test_a_large_section_is_not_kept(imap: Served) -> None:
    imap.limit(IMAPLimits(kept=10))
    imap.fill(LETTER)
    client = imap.selected()
    client.send(b"a FETCH 1 (BODY.PEEK[TEXT]<0.10>)\r\n")
    selected = client.server.session.selected
    assert selected is not None
    assert selected.kept is None

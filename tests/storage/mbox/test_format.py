"""The mbox format: what is written reads back; what others write is understood."""

import pytest
from hypothesis import given, strategies as st

from maildrop.mailbox.flags import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from maildrop.storage.mbox.format import (
    FROM_LINE,
    content,
    from_line,
    messages,
    metadata,
    split_header,
    status_fields,
    stored_form,
    visible,
    with_status,
)

DATE = b"Thu Jan  1 12:34:56 2026"
FRESH = status_fields(0, (), old=False, unterminated=False)


def written(octets: bytes, flags: int = 0, keywords: tuple[str, ...] = ()) -> bytes:
    """A message as it stands in a file, blank line included."""
    fields = status_fields(
        flags, keywords, old=False, unterminated=not octets.endswith(b"\r\n")
    )
    return from_line(b"a@example.org", DATE) + stored_form(octets, fields) + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"From a@example.org Thu Jan  1 12:34:56 2026\n",
        b"From a@example.org Thu Jan 1 12:34:56 2026\r\n",
        b"From a Thu Jan  1 12:34 2026\n",
        b"From a Thu Jan  1 12:34:56 CET 2026\n",
        b"From a Thu Jan  1 12:34:56 2026 +0100\n",
        b"From a Thu, 1 Jan 2026 12:34:56 +0100\n",
        b'From "a b" Thu Jan  1 12:34:56 2026\n',
        b"From - Thu Jan  1 12:34:56 2026\n",
        b"From a Thu Jan  1 12:34:56 2026 remote from b\n",
    ],
)
def test_the_dates_that_deliverers_write_are_known(line: bytes) -> None:
    assert FROM_LINE.match(line)


@pytest.mark.parametrize(
    "line",
    [
        b"From here on it is text\n",
        b"From Thu 1 Jan\n",
        b"From a@example.org\n",
        b">From a Thu Jan  1 12:34:56 2026\n",
    ],
)
def test_text_that_begins_with_from_is_no_from_line(line: bytes) -> None:
    assert FROM_LINE.match(line) is None


def test_a_from_line_in_a_body_does_not_split_without_date_or_blank_line() -> None:
    body = (
        b"From a Thu Jan  1 12:34:56 2026\nSubject: x\n\nFrom me to you\n\n"
        b"From now on\n\nline\nFrom a Thu Jan  1 12:34:56 2026\nno field here\n"
    )
    assert list(messages(body)) == [0]


def test_a_missing_blank_line_is_forgiven_when_a_header_follows() -> None:
    one = b"From a Thu Jan  1 12:34:56 2026\nSubject: x\n\nbody\n"
    assert list(messages(one + one)) == [0, len(one)]


def test_messages_of_a_crlf_file_are_found_and_read() -> None:
    one = b"From a Thu Jan  1 12:34:56 2026\r\nSubject: x\r\n\r\nbody\r\n\r\n"
    assert list(messages(one + one)) == [0, len(one)]
    assert visible(content(one)) == b"Subject: x\r\n\r\nbody\r\n"


def test_content_length_is_not_believed() -> None:
    """A sender must not hide one message in another."""
    one = b"From a Thu Jan  1 12:34:56 2026\nContent-Length: 9999\n\nbody\n\n"
    assert list(messages(one + one)) == [0, len(one)]
    assert visible(content(one)) == b"\r\nbody\r\n"


@pytest.mark.parametrize(
    ("fields", "flags", "old"),
    [
        (b"Status: RO\n", SEEN, True),
        (b"Status: O\nX-Status: AF\n", ANSWERED | FLAGGED, True),
        (b"X-Status: TD\n", DRAFT | DELETED, False),
        (b"status: R\n", SEEN, False),
        (b"Status:\n", 0, False),
    ],
)
def test_letters_stand_for_flags(fields: bytes, flags: int, old: bool) -> None:
    stored = b"Subject: x\n" + fields + b"\nStatus: RO is text here\n"
    found = metadata(stored)
    assert (found.flags, found.old) == (flags, old)
    assert visible(stored) == b"Subject: x\r\n\r\nStatus: RO is text here\r\n"


def test_what_mutt_adds_to_a_message_is_not_the_message() -> None:
    """Mutt 2.2 and neomutt count body octets and lines in every file they write."""
    plain = b"Subject: x\n"
    added = b"Status: RO\nContent-Length: 5\nLines: 1\n"
    assert visible(plain + added + b"\nbody\n") == visible(plain + b"\nbody\n")


@pytest.mark.parametrize("value", [b"", b" ", b"\n ", b"\n\t\n"])
def test_a_field_of_keywords_may_be_empty(value: bytes) -> None:
    stored = b"X-Keywords:%b\nX-IMAPbase:%b\nStatus:\nA: b\n\n" % (value, value)
    assert metadata(stored).keywords == ()
    assert metadata(b"X-Keywords:").keywords == ()


def test_keywords_are_read_from_their_field() -> None:
    assert metadata(b"X-Keywords: $Junk  work \n\n").keywords == ("$Junk", "work")


def test_a_sender_cannot_set_the_flags_of_his_mail() -> None:
    octets = b"Status: RO\r\nX-UID: 7\r\nSubject: x\r\n\r\nbody\r\n"
    stored = content(written(octets))
    assert metadata(stored).flags == 0
    assert visible(stored) == octets


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject: x\r\n\r\nbody without an end",
        b"Subject: x\r\n\r\n\r\n\r\n",
        b"Subject: x\r\n\r\nFrom a Thu Jan  1 12:34:56 2026\r\nA: b\r\n",
        b"From a Thu Jan  1 12:34:56 2026\r\nA: b\r\n\r\n>From x\r\n>>From y",
        b" folded: first line\r\n\r\nbody\r\n",
        b"Subject: x\r\n\r\na\r\r\nb\r\n",
        b"ends with a bare CR\r",
        b"X-Mbox-Quoted-Status: a\r\nstatus: b\r\nX-UID: 4\r\n\r\nStatus: c\r\n",
        b"X-Mbox-Unterminated: yes\r\nSubject: X-Mbox-Unterminated:\r\n\r\nbody\r\n",
        b"Lines: 7\r\nSubject: x\r\n\r\nLines: 8\r\n",
        b"Subject: \xff\x00\r\n\r\n\x00\xff\r\n",
    ],
)
def test_octets_in_are_octets_out(octets: bytes) -> None:
    raw = written(octets, SEEN, ("$Junk",))
    assert list(messages(raw + raw)) == [0, len(raw)]
    assert visible(content(raw)) == octets
    found = metadata(content(raw))
    assert (found.flags, found.keywords) == (SEEN, ("$Junk",))


LINES = st.sampled_from(
    [b"From ", b">From ", b"Status: R", b"X-UID: 1", b"", b"a", b" ", b"\r", b"\xff"]
)


@given(
    st.lists(st.builds(lambda *parts: b"".join(parts), LINES, LINES), max_size=8),
    st.booleans(),
)
def test_any_message_reads_back_and_stays_one(lines: list[bytes], ended: bool) -> None:
    octets = b"\r\n".join(lines) + (b"\r\n" if ended and lines else b"")
    raw = written(octets)
    assert list(messages(raw + raw)) == [0, len(raw)]
    assert visible(content(raw)) == octets


@given(st.binary(max_size=200))
def test_any_octets_can_be_looked_at(octets: bytes) -> None:
    messages(b"From " + octets)
    metadata(content(octets))
    visible(octets)


@pytest.mark.parametrize("odd", [b"", b"a\r\r\n", b"no end of line", b"\r"])
def test_a_large_message_is_changed_in_pieces_and_as_a_small_one(odd: bytes) -> None:
    lines = b"From a\r\n>From b\r\nc\r\n" * 120_000
    octets = b"Subject: large\r\n\r\n" + lines + odd
    raw = written(octets)
    assert list(messages(raw)) == [0]
    assert raw.count(b"\n>From a") == raw.count(b"\n>>From b") == 120_000
    assert visible(content(raw)) == octets


def test_status_is_rewritten_in_place_while_it_fits() -> None:
    stored = content(written(b"Subject: x\r\n\r\nbody\r\n"))
    fields = status_fields(SEEN | FLAGGED, ("$Junk",), old=True, unterminated=False)
    again = with_status(stored, fields)
    assert len(again) == len(stored)
    assert metadata(again).flags == SEEN | FLAGGED
    assert visible(again) == visible(stored)


def test_a_header_ends_after_its_last_line_end() -> None:
    assert split_header(b"A: b\n\nbody") == 5
    assert split_header(b"A: b\r\n\r\nbody") == 6
    assert split_header(b"\nbody") == 0
    assert split_header(b"A: b\n") == 5


def test_an_envelope_sender_cannot_break_the_from_line() -> None:
    assert from_line(b"a\nb c", DATE) == b"From abc " + DATE + b"\n"
    assert from_line(b"", DATE) == b"From MAILER-DAEMON " + DATE + b"\n"


def test_room_for_flags_is_there_from_the_start() -> None:
    full = SEEN | ANSWERED | FLAGGED | DRAFT | DELETED
    assert len(status_fields(full, (), old=True, unterminated=False)) == len(FRESH)


def test_fields_of_the_file_may_be_folded() -> None:
    stored = b"X-Keywords: one\n\ttwo three\nX-UID: 7\nSubject: x\n\nbody\n"
    assert metadata(stored).keywords == ("one", "two", "three")
    assert visible(stored) == b"Subject: x\r\n\r\nbody\r\n"

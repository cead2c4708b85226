"""Status responses: RFC 3501 section 7.1, RFC 4315 section 3."""

import pytest

from maildrop.imap.wire import responses


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (responses.ok(b"a1", b"done"), b"a1 OK done\r\n"),
        (
            responses.ok(b"a1", b"done", b"READ-WRITE"),
            b"a1 OK [READ-WRITE] done\r\n",
        ),
        (responses.ok(responses.UNTAGGED, b"hello"), b"* OK hello\r\n"),
        (
            responses.no(b"a1", b"no such mailbox", b"NONEXISTENT"),
            b"a1 NO [NONEXISTENT] no such mailbox\r\n",
        ),
        (responses.bad(b"a1", b"what"), b"a1 BAD what\r\n"),
        (responses.bad(None, b"what"), b"* BAD what\r\n"),
        (responses.bye(b"closing"), b"* BYE closing\r\n"),
        (responses.preauth(b"welcome"), b"* PREAUTH welcome\r\n"),
        (responses.continuation(), b"+ \r\n"),
        (responses.continuation(b"idling"), b"+ idling\r\n"),
    ],
)
def test_a_condition_is_one_line(written: bytes, line: bytes) -> None:
    assert written == line


@pytest.mark.parametrize(
    ("code", "octets"),
    [
        (
            responses.permanent_flags([rb"\Seen", rb"\*"]),
            rb"PERMANENTFLAGS (\Seen \*)",
        ),
        (responses.permanent_flags([]), b"PERMANENTFLAGS ()"),
        (responses.uid_validity(3857529045), b"UIDVALIDITY 3857529045"),
        (responses.uid_next(4392), b"UIDNEXT 4392"),
        (responses.unseen(12), b"UNSEEN 12"),
        (responses.capability([b"IMAP4rev1", b"IDLE"]), b"CAPABILITY IMAP4rev1 IDLE"),
        (
            responses.bad_charset([b"UTF-8", b"US-ASCII"]),
            b"BADCHARSET (UTF-8 US-ASCII)",
        ),
        (responses.append_uid(38505, [3955]), b"APPENDUID 38505 3955"),
        (
            responses.copy_uid(38505, [304, 319, 320], [3956, 3957, 3958]),
            b"COPYUID 38505 304,319:320 3956:3958",
        ),
    ],
)
def test_a_code_carries_its_values(code: bytes, octets: bytes) -> None:
    assert code == octets

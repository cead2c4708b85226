"""Conversations to begin with, and what a hostile client makes of them.

In this file:
    IMAP, POP3, SMTP, LMTP, SUBMISSION    conversations that use every command
    scripts                               what hypothesis sends: mutated, cut anywhere
    mutated                               the same with a random number generator

A conversation is a list of what the client sends; each entry is a whole line, or a line
with its literal, so that mutations land between commands as well as inside them.
"""

import random
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

_MESSAGE: Final = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: =?utf-8?q?fuzz?=\r\n"
    b"Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--b--\r\n"
)

IMAP: Final = [
    b"a1 CAPABILITY\r\n",
    b'a2 ID ("name" "fuzz" "version" NIL)\r\n',
    b"a3 LOGIN alice secret\r\n",
    b"a4 AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n",
    b"a5 AUTHENTICATE LOGIN\r\n",
    b"YWxpY2U=\r\n",
    b"a6 ENABLE CONDSTORE UTF8=ACCEPT\r\n",
    b"a7 NAMESPACE\r\n",
    b'a8 LIST "" "*"\r\n',
    b'a9 LIST (SUBSCRIBED) "" ("%" "A/%") RETURN (CHILDREN SPECIAL-USE)\r\n',
    b'b1 LSUB "" "*"\r\n',
    b"b2 CREATE A/B\r\n",
    b"b3 CREATE {3+}\r\nx&y\r\n",
    b"b4 SUBSCRIBE A/B\r\n",
    b"b5 STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)\r\n",
    b"b6 SELECT INBOX\r\n",
    b'b7 APPEND INBOX (\\Seen $Work) " 1-Jan-2026 12:00:00 +0000" {%d+}\r\n%b\r\n'
    % (len(_MESSAGE), _MESSAGE),
    b"b8 NOOP\r\n",
    b"b9 FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n",
    b"c1 FETCH 1 (BODY[] BODY.PEEK[1.MIME] BODY[2.HEADER] BODY.PEEK[]<5.20>)\r\n",
    b"c2 UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT)]\r\n",
    b"c3 STORE 1:* +FLAGS (\\Deleted $New)\r\n",
    b"c4 UID STORE 1 -FLAGS.SILENT (\\Deleted)\r\n",
    b'c5 SEARCH CHARSET UTF-8 OR (SUBJECT "fuzz" NOT SEEN) UID 1:4\r\n',
    b"c6 UID SEARCH TEXT {3+}\r\none SINCE 1-Jan-2020 LARGER 5 KEYWORD $Work\r\n",
    b"c7 COPY 1:* A/B\r\n",
    b"c8 MOVE 1 A/B\r\n",
    b"c9 IDLE\r\n",
    b"DONE\r\n",
    b"d1 EXPUNGE\r\n",
    b"d2 UID EXPUNGE 1:3\r\n",
    b"d3 CHECK\r\n",
    b"d4 EXAMINE A/B\r\n",
    b"d5 UNSELECT\r\n",
    b"d6 SELECT A/B\r\n",
    b"d7 CLOSE\r\n",
    b"d8 RENAME A/B C\r\n",
    b"d9 RENAME INBOX D\r\n",
    b"e1 DELETE C\r\n",
    b"e2 UNSUBSCRIBE A/B\r\n",
    b"e3 STARTTLS\r\n",
    b"e4 LOGOUT\r\n",
]
POP3: Final = [
    b"CAPA\r\n",
    b"UTF8\r\n",
    b"LANG *\r\n",
    b"USER alice\r\n",
    b"PASS secret\r\n",
    b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
    b"AUTH LOGIN\r\n",
    b"YWxpY2U=\r\n",
    b"*\r\n",
    b"STAT\r\n",
    b"LIST\r\n",
    b"LIST 2\r\n",
    b"UIDL\r\n",
    b"UIDL 1\r\n",
    b"RETR 1\r\n",
    b"TOP 2 1\r\n",
    b"DELE 1\r\n",
    b"NOOP\r\n",
    b"RSET\r\n",
    b"STLS\r\n",
    b"QUIT\r\n",
]
_MAIL: Final = [
    b"MAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME\r\n",
    b"RCPT TO:<alice@example.org>\r\n",
    b"RCPT TO:<bob+folder@example.org> NOTIFY=NEVER\r\n",
    b"RCPT TO:<nobody@example.org>\r\n",
    b'RCPT TO:<"a b"@example.org>\r\n',
    b"DATA\r\n",
    _MESSAGE,
    b"..dots\r\n.\r\n",
    b"MAIL FROM:<> SMTPUTF8\r\n",
    b"rcpt to:carol@example.org\r\n",
    b"BDAT 5\r\nhello",
    b"BDAT 4 LAST\r\n!\r\n\n",
    b"RSET\r\n",
    b"NOOP anything\r\n",
    b"VRFY alice\r\n",
    b"EXPN list\r\n",
    b"HELP\r\n",
]
SMTP: Final = [
    b"EHLO client.example\r\n",
    b"HELO [192.0.2.1]\r\n",
    *_MAIL,
    b"STARTTLS\r\n",
    b"QUIT\r\n",
]
LMTP: Final = [b"LHLO client.example\r\n", *_MAIL, b"QUIT\r\n"]
SUBMISSION: Final = [
    b"EHLO client.example\r\n",
    b"STARTTLS\r\n",
    b"EHLO client.example\r\n",
    b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
    b"AUTH LOGIN\r\n",
    b"YWxpY2U=\r\n",
    *_MAIL,
    b"QUIT\r\n",
]

#: What breaks careless parsers.
NASTY: Final = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n.\r\n",
    b" ",
    b"*",
    b"(" * 200,
    b")",
    b'"',
    b"\\",
    b"{0}",
    b"{1}\r\n",
    b"{99999999999}\r\n",
    b"{4294967296+}\r\n",
    b"4294967296",
    b"-1",
    b"0",
    b"1:",
    b",",
    b"~{3}\r\n",
    b"\xff\xfe",
    "ü".encode(),
    b"=",
    b"A" * 3000,
    b"<",
    b">",
    b"[",
    b"%",
    b"&",
]


def _mutate(octets: bytes, choice: int, at: int, length: int, nasty: bytes) -> bytes:
    at %= len(octets) + 1
    match choice:
        case 0:
            return octets
        case 1:
            return octets[:at] + nasty + octets[at:]
        case 2:
            return octets[:at] + octets[at + length :]
        case 3:
            return octets[:at] + nasty + octets[at + length :]
        case 4:
            return octets[:at]
        case _:
            return octets + octets[at:]


def scripts(conversation: Sequence[bytes]) -> st.SearchStrategy[list[bytes]]:
    """What a client sends: pieces of a conversation, many of them broken."""
    piece = st.builds(
        _mutate,
        st.sampled_from(conversation),
        st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5]),
        st.integers(0, 400),
        st.integers(1, 10),
        st.one_of(st.sampled_from(NASTY), st.binary(max_size=8)),
    )
    # Most of a conversation in order reaches deeper than a random choice of its parts.
    ordered = st.tuples(
        st.integers(0, len(conversation) - 1), st.lists(piece, max_size=3)
    ).map(lambda drawn: [*conversation[: drawn[0]], *drawn[1]])
    return st.lists(
        st.one_of(ordered, st.lists(piece, min_size=1, max_size=10)),
        min_size=1,
        max_size=3,
    ).map(lambda parts: [octets for part in parts for octets in part])


def mutated(conversation: Sequence[bytes], chance: random.Random) -> list[bytes]:
    """The same, from a random number generator."""
    sent = []
    for octets in conversation:
        if chance.random() < 0.1:
            sent.append(chance.choice(conversation))
        if chance.random() < 0.1:
            continue
        choice = chance.choice((0, 0, 0, 0, 0, 1, 2, 3, 4, 5))
        length = chance.randrange(1, 10)
        nasty = chance.choice(NASTY)
        sent.append(_mutate(octets, choice, chance.randrange(400), length, nasty))
    return sent

"""Messages as programs write them."""

import email.header
import email.utils

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded
from maildrop.sendmail import letter as module
from maildrop.sendmail.letter import Letter, NoAddress, address_list, phrase


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"Subject: a\n\nbody\n", b"Subject: a\r\n\r\nbody\r\n"),
        (b"Subject: a\r\n\r\nbody\r\n", b"Subject: a\r\n\r\nbody\r\n"),
        (b"Subject: a\n b\n\nbody", b"Subject: a\r\n b\r\n\r\nbody\r\n"),
        (b"Subject: a\n", b"Subject: a\r\n\r\n"),
        (b"", b"\r\n"),
        (b"\n\nbody\n", b"\r\n\r\nbody\r\n"),
        (b"just text\nmore\n", b"\r\njust text\r\nmore\r\n"),
        (b"Subject: a\nno field\n\nb\n", b"Subject: a\r\n\r\nno field\r\n\r\nb\r\n"),
        (b" folded\nSubject: a\n", b"\r\n folded\r\nSubject: a\r\n"),
        (b"From me Thu Jan  1\nA: b\n\nc\n", b"A: b\r\n\r\nc\r\n"),
        (b"A: b\n\nFrom me\n", b"A: b\r\n\r\nFrom me\r\n"),
        (b"A: \xff\0\rb\n\n\xfe\r\r\n" + b"x" * 5000, None),
        (b"A: b\n\n.\n..\n", b"A: b\r\n\r\n.\r\n..\r\n"),
    ],
)
def test_nothing_is_changed_but_line_ends(written: bytes, kept: bytes | None) -> None:
    if kept is None:
        kept = b"A: \xff\0\rb\r\n\r\n\xfe\r\r\n" + b"x" * 5000 + b"\r\n"
    assert bytes(Letter.read(written)) == kept


@given(st.binary(max_size=300))
def test_what_was_read_reads_the_same_again(octets: bytes) -> None:
    once = bytes(Letter.read(octets))
    read = Letter.read(once)
    if not once.startswith(b"From "):
        assert bytes(read) == once


def test_a_field_is_found_in_any_case_and_fields_are_added_before() -> None:
    letter = Letter.read(b"DATE : x\n\nb\n")
    assert letter.has(b"date")
    assert not letter.has(b"from")
    letter.add("From", "me")
    assert letter.has(b"from")
    assert bytes(letter) == b"From: me\r\nDATE : x\r\n\r\nb\r\n"


def test_a_header_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEADER_MAX", 1000)
    Letter.read(b"A: b\n" * 160 + b"\n" + b"x" * 5000)
    with pytest.raises(LimitExceeded):
        Letter.read(b"A: b\n" * 210)


def test_recipients_are_in_to_cc_and_bcc_and_bcc_goes() -> None:
    letter = Letter.read(
        b"To: Bob <bob@x>,\n eve@x\nBcc: hidden@x\nbcc: <more@x>\nCC: carl\n\nb\n"
    )
    found = letter.take_recipients()
    assert found == ["bob@x", "eve@x", "hidden@x", "more@x", "carl"]
    assert bytes(letter) == b"To: Bob <bob@x>,\r\n eve@x\r\nCC: carl\r\n\r\nb\r\n"


def test_a_message_sent_again_goes_to_its_new_recipients() -> None:
    """RFC 5322 section 3.6.6."""
    letter = Letter.read(
        b"Resent-To: new@x\nResent-Bcc: also@x\nTo: old@x\nBcc: o@x\n\nb\n"
    )
    assert letter.take_recipients() == ["new@x", "also@x"]
    assert bytes(letter) == b"Resent-To: new@x\r\nTo: old@x\r\n\r\nb\r\n"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"bob", ["bob"]),
        (b"bob@example.org", ["bob@example.org"]),
        (b"a@x, b@y;c@z", ["a@x", "b@y", "c@z"]),
        (b" , a@x ,, ;\r\n\tb@y,", ["a@x", "b@y"]),
        (b"Bob B. <bob@x>", ["bob@x"]),
        (b'"B, b" <bob@x>', ["bob@x"]),
        (b'"a,\\"b"@x', ['"a,\\"b"@x']),
        (b'"a b"@x', ['"a b"@x']),
        (b"< bob@x >", ["bob@x"]),
        (b"<@relay.x,@y:bob@x>", ["bob@x"]),
        (b"bob@x (Bob, (really))", ["bob@x"]),
        (b"(a) bob (b) @ (c) x . org", ["bob@x.org"]),
        (b"Friends: a@x, b@y;, c@z", ["a@x", "b@y", "c@z"]),
        (b"undisclosed-recipients:;", []),
        (b"bob@[192.0.2.1], eve@[IPv6:2001:db8::1]", None),
        (b"=?utf-8?q?B=2C?= <bob@x>", ["bob@x"]),
        (b"B\xc3\xbcrger <bob@x>", ["bob@x"]),
        ("grüße@x".encode(), ["grüße@x"]),
        (b"-f@x", ["-f@x"]),
        (b"", []),
        (b"(nobody)", []),
    ],
)
def test_addresses_are_found(value: bytes, found: list[str] | None) -> None:
    if found is None:
        found = ["bob@[192.0.2.1]", "eve@[IPv6:2001:db8::1]"]
    assert address_list(value) == found


@pytest.mark.parametrize(
    "value",
    [
        b"a@x b@y",
        b"bob smith",
        b"<a@x> <b@y>",
        b"<>",
        b"Bob <>",
        b"a@b@c",
        b"@x",
        b"a@",
        b"a@x>",
        b"<a@x",
        b'"a@x',
        b"a@x (",
        b"a@x )",
        b"a\0@x",
        b"\xff@x",
        b"a@[1.2.3]",
        b"<a@x\r\nX-Evil: y>",
        b"a@" + b"x" * 300,
    ],
)
def test_no_recipient_is_overlooked(value: bytes) -> None:
    """Who would send to some of them must be told."""
    with pytest.raises(NoAddress):
        address_list(b"good@x, " + value)


@given(
    st.binary(max_size=60)
    | st.text('a@x,;:<>"()[]\\ .\r\n', max_size=40).map(str.encode)
)
def test_any_octets_are_addresses_or_none(value: bytes) -> None:
    try:
        found = address_list(value)
    except NoAddress as error:
        assert str(error).isprintable()
        return
    assert all(address.isprintable() and address for address in found)


@pytest.mark.parametrize(
    "value",
    [b"(" * 100_000, b"<" * 100_000, b'"' * 100_001, b"a@x," * 50_000, b'"\\' * 50_000],
    ids=["comments", "angles", "strings", "addresses", "pairs"],
)
def test_long_lists_cost_time_in_proportion(value: bytes) -> None:
    try:
        assert len(address_list(value)) == 50_000
    except NoAddress as error:
        assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Cron Daemon", "Cron Daemon"),
        ("  Ann ", "Ann"),
        ("", ""),
        ("Ann B. (x)", '"Ann B. (x)"'),
        ('Ann "A" \\', '"Ann \\"A\\" \\\\"'),
        ("Ann <evil@x>, b", '"Ann <evil@x>, b"'),
        ("Jürgen", "=?utf-8?B?SsO8cmdlbg==?="),
        ("=?utf-8?q?=0D=0A?=", "=?utf-8?B?PT91dGYtOD9xPz0wRD0wQT89?="),
        ("J\udcfcrgen", "=?utf-8?B?Su+/vXJnZW4=?="),
    ],
)
def test_a_name_stands_in_from_as_it_may(name: str, shown: str) -> None:
    assert phrase(name) == shown


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: all@x", "a\nb", "a\rb", "\0", "a\x7fb", "a\x85b", "x" * 201]
)
def test_no_field_is_smuggled_in_through_a_name(name: str) -> None:
    with pytest.raises(NoAddress):
        phrase(name)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=200))
def test_a_name_reads_back(name: str) -> None:
    """RFC 2047, RFC 5322 section 3.4; lines of an encoded name are short."""
    shown = phrase(name)
    assert all(len(line) <= 76 for line in shown.split("\r\n ")) or shown.isascii()
    if shown.startswith("=?"):
        decoded = str(email.header.make_header(email.header.decode_header(shown)))
        assert decoded == name
    elif shown:
        assert email.utils.parseaddr(f"{shown} <a@x>") == (name, "a@x")

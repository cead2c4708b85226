"""The dialects of mbox: what each of them means, and the one that is written.

| dialect | a body line ``From x`` | a body line ``>From x`` | where a message ends |
|---|---|---|---|
| mboxo | ``>From x`` | ``>From x`` | From_ line |
| mboxrd | ``>From x`` | ``>>From x`` | From_ line |
| mboxcl | ``>From x`` | ``>From x`` | Content-Length |
| mboxcl2 | ``From x`` | ``>From x`` | Content-Length |
"""

import pytest

from maildrop.storage.mbox.format import (
    content,
    from_line,
    messages,
    status_fields,
    stored_form,
    visible,
)

FROM = b"From a@example.org Thu Jan  1 12:34:56 2026\n"
DATE = b"Thu Jan  1 12:34:56 2026"


@pytest.mark.parametrize(
    ("stored", "body"),
    [
        pytest.param(b">From x\n", b"From x\r\n", id="mboxo and mboxrd"),
        pytest.param(b">>From x\n", b">From x\r\n", id="mboxrd"),
        pytest.param(b">>>From x\n", b">>From x\r\n", id="mboxrd, again"),
        pytest.param(b"From x\n", b"From x\r\n", id="mboxcl2"),
        pytest.param(
            b"a\n\nFrom here on\n\nb\n", b"a\r\n\r\nFrom here on\r\n\r\nb\r\n"
        ),
        pytest.param(b">from x\n", b">from x\r\n", id="no From_ line in lower case"),
        pytest.param(b"> From x\n", b"> From x\r\n", id="a quotation"),
        pytest.param(b">>Fromage\n", b">>Fromage\r\n", id="another word"),
    ],
)
@pytest.mark.parametrize("length", [b"", b"Content-Length: 3\n"])
def test_each_dialect_is_read(stored: bytes, body: bytes, length: bytes) -> None:
    raw = FROM + length + b"Subject: x\n\n" + stored + b"\n"
    assert list(messages(raw + raw)) == [0, len(raw)]
    assert visible(content(raw)) == b"Subject: x\r\n\r\n" + body


@pytest.mark.parametrize("crlf", [False, True])
@pytest.mark.parametrize("length", [0, 4, 5, 6, 70, 9999])
def test_what_content_length_says_moves_no_message(length: int, *, crlf: bool) -> None:
    """Whatever it counts: an honest one is right anyway, any other would hide mail."""
    one = FROM + b"Content-Length: %d\nSubject: x\n\nbody\n\n" % length
    one = one.replace(b"\n", b"\r\n") if crlf else one
    assert list(messages(one + one + one)) == [0, len(one), 2 * len(one)]
    assert visible(content(one)) == b"Subject: x\r\n\r\nbody\r\n"


@pytest.mark.parametrize("end", [b"\n\n", b"\n", b"\r\n\r\n", b"\r\n"])
def test_messages_with_and_without_a_blank_line_between_them(end: bytes) -> None:
    one = FROM + b"Subject: x\n\nbody" + end
    assert list(messages(one + one)) == [0, len(one)]
    assert visible(content(one)) == b"Subject: x\r\n\r\nbody\r\n"


def test_a_message_has_one_content_with_either_line_ends() -> None:
    lf = FROM + b"Subject: x\n\n>From me\n\nbody\n\n"
    assert visible(content(lf)) == visible(content(lf.replace(b"\n", b"\r\n")))


@pytest.mark.parametrize("depth", range(4))
def test_mboxrd_is_written(depth: int) -> None:
    """It alone can be undone."""
    line = b">" * depth + b"From a@example.org Thu Jan  1 12:34:56 2026"
    octets = b"Subject: x\r\n\r\n" + line + b"\r\nA: b\r\n"
    fields = status_fields(0, (), old=False, unterminated=False)
    raw = from_line(b"a", DATE) + stored_form(octets, fields) + b"\n"
    assert b"\n>" + line + b"\n" in raw
    assert list(messages(raw)) == [0]
    assert visible(content(raw)) == octets

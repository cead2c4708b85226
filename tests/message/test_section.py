"""Sections of a message: RFC 3501 section 6.4.5."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from maildrop.message.limits import Limits
from maildrop.message.section import section
from maildrop.message.structure import Kind, Part, structure

CORPUS = Path(__file__).parent.parent / "data" / "corpus"

#: The example of RFC 3501 section 6.4.5 in small: 1 text, 2 binary, 3 a message with a
#: text and a binary, 4 a multipart of an image and a message with a multipart.
MESSAGE = b"""\
Subject: whole
Content-Type: multipart/mixed; boundary=a

--a

part 1
--a
Content-Type: application/octet-stream

part 2
--a
Content-Type: message/rfc822

Subject: 3
X: y
Content-Type: multipart/mixed; boundary=b

--b

part 3.1
--b
Content-Type: application/octet-stream

part 3.2
--b--
--a
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: image/gif

part 4.1
--c
Content-Type: message/rfc822

Subject: 4.2

part 4.2.1
--c--
--a--
""".replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("path", "kind", "octets"),
    [
        ((1,), b"", b"part 1"),
        ((1,), b"MIME", b"\r\n"),
        ((2,), b"", b"part 2"),
        ((2,), b"MIME", b"Content-Type: application/octet-stream\r\n\r\n"),
        ((3, 1), b"", b"part 3.1"),
        ((3, 2), b"", b"part 3.2"),
        ((3, 1), b"MIME", b"\r\n"),
        ((3,), b"MIME", b"Content-Type: message/rfc822\r\n\r\n"),
        (
            (3,),
            b"HEADER",
            b"Subject: 3\r\nX: y\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        ),
        (
            (3,),
            b"TEXT",
            b"--b\r\n\r\npart 3.1\r\n"
            b"--b\r\nContent-Type: application/octet-stream\r\n\r\npart 3.2\r\n--b--",
        ),
        ((4, 1), b"", b"part 4.1"),
        ((4, 1), b"MIME", b"Content-Type: image/gif\r\n\r\n"),
        ((4, 2), b"", b"Subject: 4.2\r\n\r\npart 4.2.1"),
        ((4, 2), b"HEADER", b"Subject: 4.2\r\n\r\n"),
        ((4, 2), b"TEXT", b"part 4.2.1"),
        ((4, 2, 1), b"", b"part 4.2.1"),
        ((4, 2, 1), b"MIME", b"Subject: 4.2\r\n\r\n"),
    ],
)
def test_the_sections_of_the_rfc(
    path: tuple[int, ...], kind: bytes, octets: bytes
) -> None:
    assert section(MESSAGE, path, kind) == octets


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ((0,), b""),
        ((5,), b""),
        ((1, 1), b""),
        ((3, 3), b""),
        ((3, 1, 1), b""),
        ((4, 2, 2), b""),
        ((1,), b"HEADER"),
        ((1,), b"TEXT"),
        ((4,), b"HEADER"),
        ((9, 9, 9), b"MIME"),
    ],
)
def test_other_sections_are_none(path: tuple[int, ...], kind: bytes) -> None:
    assert section(MESSAGE, path, kind) is None


def test_the_message_itself() -> None:
    assert section(MESSAGE, ()) == MESSAGE
    header = section(MESSAGE, (), b"HEADER")
    text = section(MESSAGE, (), b"TEXT")
    assert header
    assert text
    assert header.startswith(b"Subject: whole\r\n")
    assert header + text == MESSAGE


@pytest.mark.parametrize(
    ("path", "kind", "fields", "octets"),
    [
        ((), b"HEADER.FIELDS", (b"subject",), b"Subject: whole\r\n\r\n"),
        ((3,), b"HEADER.FIELDS", (b"X", b"Subject"), b"Subject: 3\r\nX: y\r\n\r\n"),
        ((3,), b"HEADER.FIELDS.NOT", (b"Content-Type", b"x"), b"Subject: 3\r\n\r\n"),
        ((3,), b"HEADER.FIELDS", (), b"\r\n"),
    ],
)
def test_some_fields(
    path: tuple[int, ...], kind: bytes, fields: tuple[bytes, ...], octets: bytes
) -> None:
    assert section(MESSAGE, path, kind, fields) == octets


def test_a_message_that_is_no_multipart_has_one_part() -> None:
    octets = b"Subject: x\r\n\r\nbody"
    assert section(octets, (1,)) == b"body"
    assert section(octets, (1,), b"MIME") == b"Subject: x\r\n\r\n"
    assert section(octets, (2,)) is None
    assert section(octets, (1, 1)) is None


def test_a_message_that_is_a_message() -> None:
    octets = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nbody"
    assert section(octets, (1,)) == b"Subject: x\r\n\r\nbody"
    assert section(octets, (1,), b"HEADER") == b"Subject: x\r\n\r\n"
    assert section(octets, (1, 1)) == b"body"


def test_a_multipart_without_parts_has_an_empty_one() -> None:
    octets = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nbody"
    assert section(octets, (1,)) == b""
    assert section(octets, (2,)) is None


def test_what_is_too_deep_has_no_parts() -> None:
    assert section(MESSAGE, (1,), limits=Limits(depth=1)) is not None
    assert section(MESSAGE, (2,), limits=Limits(depth=1)) is None
    assert section(MESSAGE, (3,), limits=Limits(depth=2)) is not None
    assert section(MESSAGE, (3, 2), limits=Limits(depth=2)) is None


def paths(part: Part, path: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], Part]]:
    """Every part with the numbers that name it."""
    found = [(path, part)] if path else []
    if part.kind is Kind.MULTIPART:
        for number, child in enumerate(part.children, 1):
            found += paths(child, (*path, number))
    elif part.kind is Kind.MESSAGE:
        inner = part.children[0]
        found += paths(inner, path) if inner.kind is Kind.MULTIPART else []
    elif not path:
        found.append(((1,), part))
    return found


@pytest.mark.parametrize(
    "file", sorted(CORPUS.glob("[cm]*/*.eml")), ids=lambda f: f.stem
)
def test_every_part_of_the_corpus_can_be_had_and_is_whole(file: Path) -> None:
    octets = re.sub(rb"(?<!\r)\n", b"\r\n", file.read_bytes())
    for path, part in paths(structure(octets)):
        mime = section(octets, path, b"MIME")
        body = section(octets, path)
        if part.kind is not Kind.MULTIPART:
            assert mime is not None
            assert body is not None
            assert octets.count(mime + body) >= 1
        if part.kind is Kind.MESSAGE:
            header = section(octets, path, b"HEADER")
            text = section(octets, path, b"TEXT")
            assert header is not None
            assert text is not None
            assert header + text == body


NUMBERS = st.lists(st.integers(-1, 4), max_size=4).map(tuple)
KINDS = st.sampled_from(
    [b"", b"HEADER", b"TEXT", b"MIME", b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"]
)


@given(st.binary(max_size=60), NUMBERS, KINDS)
def test_any_section_of_any_octets_is_had_or_none(
    octets: bytes, path: tuple[int, ...], kind: bytes
) -> None:
    found = section(MESSAGE[:100] + octets + MESSAGE[100:], path, kind, (b"X",))
    assert found is None or isinstance(found, bytes)

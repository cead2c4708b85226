"""The tree of parts: RFC 2046 section 5."""

import mmap

import pytest
from hypothesis import example, given, settings, strategies as st

from maildrop.message.limits import Limits
from maildrop.message.structure import Kind, Part, structure

#: A part as a test writes it: its body, or for one with parts a list of them.
Tree = bytes | list["Tree"]


def crlf(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


def tree(octets: bytes, part: Part) -> Tree:
    if part.kind is Kind.LEAF:
        return octets[part.body : part.end]
    return [tree(octets, child) for child in part.children]


def multipart(boundary: str, text: str, kind: str = "mixed") -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'
    return crlf(head + text)


CASES: list[tuple[str, bytes, Tree]] = [
    ("empty", b"", b""),
    ("no header", b"\r\nbody", b"body"),
    ("no body", b"Subject: x\r\n", b""),
    ("plain", b"Subject: x\r\n\r\nbody\r\n", b"body\r\n"),
    (
        "two parts",
        multipart("b", "pre\n--b\n\none\n--b\n\ntwo\n--b--\nepi"),
        [b"one", b"two"],
    ),
    ("no preamble", multipart("b", "--b\n\none\n--b--\n"), [b"one"]),
    ("no end", multipart("b", "--b\n\none\n--b\n\ntwo\n"), [b"one", b"two\r\n"]),
    (
        "padding",
        multipart("b", "--b  \n\none\n--b \t\n\ntwo\n--b--  \n"),
        [b"one", b"two"],
    ),
    ("empty line ends", multipart("b", "--b\n\none\n\n--b--\n"), [b"one\r\n"]),
    ("empty parts", multipart("b", "--b\n\n--b\n\n\n--b--\n"), [b"", b""]),
    ("no parts", multipart("b", "nothing\n"), []),
    ("only end", multipart("b", "--b--\n"), []),
    ("delimiter at the end", multipart("b", "--b\n\none\n--b"), [b"one"]),
    ("delimiter line at the end", multipart("b", "--b\n\none\n--b\n"), [b"one", b""]),
    ("after the end", multipart("b", "--b\n\none\n--b--\n--b\n\ntwo\n"), [b"one"]),
    (
        "header cut",
        multipart("b", "--b\nSubject: x\n--b\n\ntwo\n--b--\n"),
        [b"", b"two"],
    ),
    (
        "dashes in text",
        multipart("b", "--b\n\n--\n-- \n--x\n---b\n--b--\n"),
        [b"--\r\n-- \r\n--x\r\n---b"],
    ),
    ("not at a line's start", multipart("b", "--b\n\nx --b\n--b--\n"), [b"x --b"]),
    ("no boundary", crlf("Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n"), []),
    (
        "nested",
        multipart(
            "o",
            "--o\nContent-Type: multipart/x; boundary=i\n\n--i\n\n"
            "one\n--i--\n--o\n\ntwo\n--o--\n",
        ),
        [[b"one"], b"two"],
    ),
    (
        "inner never closed",
        multipart(
            "o",
            "--o\nContent-Type: multipart/x; boundary=i\n\n"
            "--i\n\none\n--o\n\ntwo\n--i\n--o--\n",
        ),
        [[b"one"], b"two\r\n--i"],
    ),
    (
        "inner starts like outer",
        multipart(
            "ab",
            "--ab\nContent-Type: multipart/x; "
            "boundary=abc\n\n--abc\n\none\n--abc--\n"
            "--ab\n\ntwo\n--ab--\n",
        ),
        [[b"one"], b"two"],
    ),
    (
        "outer starts like inner",
        multipart(
            "abc",
            "--abc\nContent-Type: multipart/x; "
            "boundary=ab\n\n--ab\n\none\n--ab--\n"
            "--abc\n\ntwo\n--abc--\n",
        ),
        [[b"one"], b"two"],
    ),
    (
        "same boundary",
        multipart(
            "b",
            "--b\nContent-Type: multipart/x; boundary=b\n\n"
            "--b\n\none\n--b--\n--b\n\ntwo\n--b--\n",
        ),
        [[b"one"], b"two"],
    ),
    (
        "one between two alike",
        multipart(
            "foo",
            "--foo\nContent-Type: multipart/x; boundary=xyz\n\n"
            "--xyz\nContent-Type: multipart/x; boundary=foobar\n\n"
            "--foobar\n\none\n--foobar--\n"
            "--xyz\n\ntwo\n--xyz--\n--foo--\n",
        ),
        [[[b"one"], b"two"]],
    ),
    (
        "message",
        crlf("Content-Type: message/rfc822\n\nSubject: x\n\nbody\n"),
        [b"body\r\n"],
    ),
    (
        "message in message",
        crlf(
            "Content-Type: message/rfc822\n\nContent-Type: message/RFC822"
            "\n\nSubject: x\n\nbody"
        ),
        [[b"body"]],
    ),
    (
        "message in a part",
        multipart(
            "b", "--b\nContent-Type: message/rfc822\n\nSubject: x\n\nbody\n--b--\n"
        ),
        [[b"body"]],
    ),
    (
        "message without end of header",
        multipart("b", "--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n"),
        [[b""]],
    ),
    (
        "digest without end of header",
        multipart("b", "--b\nSubject: x\n--b--\n", "digest"),
        [[b""]],
    ),
    (
        "message of nothing",
        multipart("b", "--b\nContent-Type: message/rfc822\n\n--b--\n"),
        [[b""]],
    ),
    (
        "digest",
        multipart(
            "b",
            "--b\n\nSubject: x\n\nbody\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n",
            "digest",
        ),
        [[b"body"], b"two"],
    ),
    (
        "message/global",
        crlf("Content-Type: message/global\n\nSubject: x\n\ny"),
        b"Subject: x\r\n\r\ny",
    ),
    (
        "encoded boundary",
        crlf(
            "Content-Type: multipart/x; boundary*=us-ascii''b%62\n\n"
            "--bb\n\none\n--bb--\n"
        ),
        [b"one"],
    ),
    (
        "boundary in pieces",
        crlf(
            "Content-Type: multipart/x; boundary*0=b;\n boundary*1=c\n\n"
            "--bc\n\none\n--bc--\n"
        ),
        [b"one"],
    ),
]
NAMES = [case[0] for case in CASES]


@pytest.mark.parametrize(("octets", "parts"), [case[1:] for case in CASES], ids=NAMES)
def test_parts_are_found(octets: bytes, parts: Tree) -> None:
    assert tree(octets, structure(octets)) == parts


@pytest.mark.parametrize("octets", [case[1] for case in CASES if case[1]])
def test_a_mapped_file_has_the_same_parts(octets: bytes) -> None:
    with mmap.mmap(-1, len(octets)) as mapped:
        mapped.write(octets)
        assert tree(octets, structure(mapped)) == tree(octets, structure(octets))


def test_the_crlf_before_a_delimiter_belongs_to_it_also_behind_a_closing_one() -> None:
    """RFC 2046 section 5.1.1: what is signed ends before it (RFC 1847 section 2.1)."""
    octets = multipart(
        "o", "--o\nContent-Type: multipart/x; boundary=i\n\n--i\n\none\n--i--\n--o--\n"
    )
    inner = structure(octets).children[0]
    assert octets[inner.body : inner.end] == b"--i\r\n\r\none\r\n--i--"


def test_content_fields_count_only_in_mime() -> None:
    """RFC 2045 section 4: without MIME-Version a message is plain text."""
    plain = structure(b"Content-Transfer-Encoding: base64\r\nFrom: a@b\r\n\r\n")
    assert plain.fields == {b"from": [b"a@b"]}
    mime = structure(b"Mime-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    assert mime.fields[b"content-transfer-encoding"] == [b"base64"]


def nested(levels: int) -> bytes:
    head = "".join(
        f"Content-Type: multipart/x; boundary=b{n}e\n\n--b{n}e\n" for n in range(levels)
    )
    return crlf(head + "\ntext\n")


MESSAGE = b"Content-Type: message/rfc822\r\n\r\n"


@pytest.mark.parametrize("octets", [nested(500), MESSAGE * 500])
def test_below_the_last_level_all_is_one_leaf(octets: bytes) -> None:
    part, depth = structure(octets, Limits(depth=10)), 1
    while part.children:
        part, depth = part.children[0], depth + 1
    assert depth == 10
    assert part.cut
    assert not part.is_text


def test_after_the_last_part_boundaries_are_text() -> None:
    octets = multipart("b", "--b\n\nx\n" * 10_000)
    root = structure(octets, Limits(parts=7))
    assert len(root.children) == 6
    assert octets[root.children[-1].body : root.children[-1].end].count(b"--b") == 9994


@pytest.mark.parametrize(
    "octets",
    [
        nested(10_000),
        multipart("b", "--b\n" * 200_000),
        multipart("b", "--" * 500_000),
        multipart("b", "\n--" * 300_000),
        multipart("b", "--b--\n" * 150_000),
        multipart("b", "--b\nContent-Type: multipart/x; boundary=c\n\n" * 20_000),
        multipart("", "--\n" * 300_000),
        nested(99) + b"\r\n--" * 200_000,
        MESSAGE * 10_000,
        multipart("b", "--b\n" + "x: y\n" * 100_000, "digest"),
    ],
    ids=lambda octets: repr(octets[-8:]),
)
def test_a_megabyte_of_hostile_structure_stays_within_the_limits(octets: bytes) -> None:
    root = structure(octets)
    count, waiting = 0, [root]
    while waiting:
        part = waiting.pop()
        count += 1
        waiting.extend(part.children)
    assert count <= Limits().parts


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"--",
        b"b",
        b"--b\r\n",
        b"--b--\r\n",
        b"--bc\r\n",
        b"x",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"Content-Type: multipart/digest; boundary=bc\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: text/html\r\n",
        b"\n--b\n",
        b"\r",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join))
@example(multipart("b", "--b\n--b\nSubject: x\n--b--\n", "digest"))
@settings(max_examples=300)
def test_parts_lie_inside_of_their_parents_one_after_the_other(octets: bytes) -> None:
    root = structure(octets)
    assert (root.start, root.end) == (0, len(octets))
    waiting = [root]
    while waiting:
        part = waiting.pop()
        assert part.start <= part.body <= part.end
        at = part.body
        for child in part.children:
            assert at <= child.start <= child.end <= part.end
            at = child.end
        waiting.extend(part.children)

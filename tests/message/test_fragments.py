"""Fragments: what is cached, and that it is what the grammar allows."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.message.fragments import (
    POPULAR,
    compile_fields,
    fields_key,
    fragment,
    from_popular,
    prepare,
)
from maildrop.message.limits import DEFAULT, Limits

CORPUS = sorted((Path(__file__).parent.parent / "data" / "corpus").glob("*/*.eml"))

MESSAGE = (
    b"Received: x\r\nFrom: a@b\r\nTO: c@d,\r\n\te@f\r\nSubject: s\r\nX-Other: y\r\n"
    b"to: g@h\r\nDate: 1 Jan 2002\r\n\r\nbody\r\n"
)

#: A value as IMAP writes it: None for NIL, octets, a number, or a list.
Value = None | bytes | int | list["Value"]

_TOKEN = re.compile(
    rb'(\()|(\))|(NIL)|([0-9]+)|"((?:[^"\\\0\r\n\x80-\xff]|\\["\\])*+)"|\{([0-9]+)\}\r\n'
)


def read(octets: bytes) -> Value:
    """Reads a parenthesized value strictly, RFC 3501 section 9, and all of it."""
    stack: list[list[Value]] = [[]]
    pos, spaced = 0, True
    while pos < len(octets):
        found = _TOKEN.match(octets, pos)
        assert found, octets[pos : pos + 40]
        opens, closes, nil, number, quoted, length = found.groups()
        # body-type-mpart has its bodies, env-from its addresses without spaces.
        after_list = bool(stack[-1]) and isinstance(stack[-1][-1], list)
        assert closes or spaced or (opens and after_list), octets[:pos]
        pos = found.end()
        if opens:
            stack.append([])
            spaced = True
            continue
        if closes:
            done = stack.pop()
            assert done, "an empty list"
            stack[-1].append(done)
        elif nil:
            stack[-1].append(None)
        elif number:
            stack[-1].append(int(number))
        elif length:
            literal = octets[pos : pos + int(length)]
            assert len(literal) == int(length)
            assert b"\0" not in literal
            stack[-1].append(literal)
            pos += int(length)
        else:
            stack[-1].append(quoted)
        spaced = octets.startswith(b" ", pos)
        pos += spaced
    (top,) = stack
    (value,) = top
    return value


def is_nstring(value: Value) -> bool:
    return value is None or isinstance(value, bytes)


def is_envelope(value: Value) -> bool:
    """RFC 3501 section 9, ``envelope``."""
    if not isinstance(value, list) or len(value) != 10:
        return False
    texts = value[:2] + value[8:]
    return all(map(is_nstring, texts)) and all(map(is_address_list, value[2:8]))


def is_address_list(value: Value) -> bool:
    return value is None or (
        isinstance(value, list)
        and all(
            isinstance(address, list)
            and len(address) == 4
            and all(map(is_nstring, address))
            for address in value
        )
    )


def is_parameters(value: Value) -> bool:
    return value is None or (
        isinstance(value, list)
        and len(value) % 2 == 0
        and all(isinstance(item, bytes) for item in value)
    )


def is_extension(value: list[Value]) -> bool:
    """Disposition, languages and location, which both kinds of body end with."""
    shown, tags, location = value
    return (
        (shown is None or (isinstance(shown, list) and len(shown) == 2
                           and isinstance(shown[0], bytes) and is_parameters(shown[1])))
        and (tags is None or isinstance(tags, list))
        and is_nstring(location)
    )  # fmt: skip


def is_body(value: Value, *, extended: bool) -> bool:
    """RFC 3501 section 9, ``body``, with all extension data or none."""
    if not isinstance(value, list):
        return False
    if isinstance(value[0], list):
        children = [item for item in value if isinstance(item, list)]
        count = next(i for i, item in enumerate(value) if not isinstance(item, list))
        rest = value[count + 1 :]
        return (
            all(is_body(child, extended=extended) for child in children[:count])
            and isinstance(value[count], bytes)
            and (
                len(rest) == 4 and is_parameters(rest[0]) and is_extension(rest[1:])
                if extended
                else not rest
            )
        )
    kind, subtype, parameters, identity, description, encoding, octets, *rest = value
    assert isinstance(kind, bytes)
    assert isinstance(subtype, bytes)
    fields = (
        is_parameters(parameters) and is_nstring(identity) and is_nstring(description)
    )
    if kind.lower() == b"text":
        fields = fields and isinstance(rest.pop(0), int)
    elif (kind.lower(), subtype.lower()) == (b"message", b"rfc822"):
        inside, body, lines, *rest = rest
        fields = fields and is_envelope(inside) and is_body(body, extended=extended)
        fields = fields and isinstance(lines, int)
    end = is_nstring(rest[0]) and is_extension(rest[1:]) if extended else not rest
    return fields and isinstance(encoding, bytes) and isinstance(octets, int) and end


def assert_well_formed(octets: bytes, limits: Limits = DEFAULT) -> None:
    assert is_envelope(read(fragment(octets, b"ENVELOPE", limits)))
    assert is_body(read(fragment(octets, b"BODY", limits)), extended=False)
    assert is_body(read(fragment(octets, b"BODYSTRUCTURE", limits)), extended=True)
    prepared = prepare(octets, limits)
    for key in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"HEADER.POPULAR"):
        assert prepared[key] == fragment(octets, key, limits)


def test_keys_are_upper_case_sorted_and_unique() -> None:
    assert fields_key([b"to", b"From", b"TO"]) == b"HEADER.FIELDS (FROM TO)"
    assert fields_key([b"to"], without=True) == b"HEADER.FIELDS.NOT (TO)"
    assert fields_key([]) == b"HEADER.FIELDS ()"
    assert fields_key([b"no field", b"x)"]) == b"HEADER.FIELDS (X))"


@pytest.mark.parametrize(
    ("key", "octets"),
    [
        (b"HEADER", MESSAGE[:-6]),
        (fields_key([b"to", b"from"]),
         b"From: a@b\r\nTO: c@d,\r\n\te@f\r\nto: g@h\r\n\r\n"),
        (fields_key([b"x-other"]), b"X-Other: y\r\n\r\n"),
        (fields_key([b"none"]), b"\r\n"),
        (fields_key([]), b"\r\n"),
        (fields_key([b"to", b"received", b"subject", b"date"], without=True),
         b"From: a@b\r\nX-Other: y\r\n\r\n"),
    ],
)  # fmt: skip
def test_header_fragments(key: bytes, octets: bytes) -> None:
    assert fragment(MESSAGE, key) == octets


@pytest.mark.parametrize("key", [b"", b"TEXT", b"HEADER.FIELDS", b"HEADER.FIELDS (A"])
def test_an_unknown_key_is_an_error(key: bytes) -> None:
    with pytest.raises(KeyError):
        fragment(MESSAGE, key)


KEYS = [
    fields_key([b"From", b"To", b"Subject", b"Date"]),
    fields_key([b"Date"]),
    fields_key([b"References"]),
    fields_key([]),
    fields_key(POPULAR),
]


@pytest.mark.parametrize("key", KEYS)
def test_popular_fields_answer_for_the_header(key: bytes) -> None:
    popular = prepare(MESSAGE)[b"HEADER.POPULAR"]
    assert from_popular(popular, key) == fragment(MESSAGE, key)
    compiled = compile_fields(key)
    for _ in range(2):
        assert compiled(popular) == fragment(MESSAGE, key)


@pytest.mark.parametrize(
    "key", [fields_key([b"X-Other"]), fields_key([b"To"], without=True)]
)
def test_popular_fields_do_not_know_others(key: bytes) -> None:
    assert from_popular(prepare(MESSAGE)[b"HEADER.POPULAR"], key) is None


@pytest.mark.parametrize("popular", [b"", b"1ABC", b"From: a@b\r\n"])
def test_what_another_release_wrote_is_not_known(popular: bytes) -> None:
    assert from_popular(popular, KEYS[0]) is None


@pytest.mark.parametrize(
    ("octets", "limits"),
    [
        (b"Subject: a\0b\r\n\r\n", Limits()),
        (MESSAGE, Limits(fields=3)),
        (MESSAGE, Limits(header_octets=20)),
    ],
)
def test_a_header_that_popular_cannot_hold_is_not_known(
    octets: bytes, limits: Limits
) -> None:
    popular = prepare(octets, limits)[b"HEADER.POPULAR"]
    assert from_popular(popular, KEYS[0]) is None


def test_more_sequences_of_fields_than_are_remembered() -> None:
    compiled = compile_fields(KEYS[0])
    for number in range(2500):
        names = [POPULAR[(number >> shift) % 8] for shift in range(12)]
        header = b"".join(b"%b: x\r\n" % name for name in names) + b"\r\n"
        popular = prepare(header)[b"HEADER.POPULAR"]
        assert compiled(popular) == fragment(header, KEYS[0])


@pytest.mark.parametrize("part", range(8))
def test_the_corpus_is_well_formed(part: int) -> None:
    for file in CORPUS[part::8]:
        octets = re.sub(rb"(?<!\r)\n", b"\r\n", file.read_bytes())
        assert_well_formed(octets)
        popular = fragment(octets, b"HEADER.POPULAR")
        for key in KEYS:
            assert from_popular(popular, key) in {fragment(octets, key), None}


@pytest.mark.parametrize("cut", range(0, 700, 7))
def test_a_message_cut_anywhere_is_well_formed(cut: int) -> None:
    file = next(path for path in CORPUS if path.stem == "msg_07")
    octets = re.sub(rb"(?<!\r)\n", b"\r\n", file.read_bytes())
    assert_well_formed(octets[:cut])


PIECES = st.sampled_from(
    [
        b"From: ",
        b"To: a@b, ",
        b"Cc: g:",
        b"Subject: ",
        b"Message-ID: <",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: text/plain; ",
        b"Content-Disposition: x; ",
        b"Content-Language: en,",
        b"Mime-Version: 1.0\r\n",
        b"name*0*=",
        b"charset=",
        b"--b\r\n",
        b"--b--\r\n",
        b"\r\n",
        b"\r\n\t",
        b'"',
        b"\\",
        b"(",
        b")",
        b"<",
        b">",
        b"@",
        b",",
        b";",
        b":",
        b"{3}",
        b"NIL",
        b"\xff",
        b"\0",
        b"\r",
        b"\n",
        b" ",
        b"x",
    ]
)


@given(st.lists(PIECES, max_size=40).map(b"".join))
@settings(max_examples=300)
def test_any_octets_give_what_the_grammar_allows(octets: bytes) -> None:
    assert_well_formed(octets)
    assert_well_formed(octets, Limits(depth=2, parts=3, addresses=1, fields=4))


@given(st.binary(max_size=200))
def test_random_octets_give_what_the_grammar_allows(octets: bytes) -> None:
    assert_well_formed(octets)

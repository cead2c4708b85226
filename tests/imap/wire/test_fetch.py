"""FETCH: RFC 3501 sections 6.4.5 and 7.4.2."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import LimitExceeded, PermanentError, ProtocolSyntaxError
from maildrop.imap.wire import fetch
from maildrop.imap.wire.arguments import Arguments
from maildrop.imap.wire.fetch import (
    ATTRIBUTES,
    BODY,
    BODYSTRUCTURE,
    ENVELOPE,
    FLAGS,
    INTERNALDATE,
    SIZE,
    UID,
    Fetch,
    FetchItem,
    Section,
)
from maildrop.imap.wire.limits import Limits
from maildrop.message.sequence_set import SequenceSet

ONE = SequenceSet(((1, 1),))


def items(octets: bytes, **limits: int) -> tuple[FetchItem, ...]:
    arguments = Arguments(b" 1 " + octets, 0, Limits(**limits))
    return fetch.parse(b"a", arguments).items


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"FLAGS", (FLAGS,)),
        (b"(FLAGS)", (FLAGS,)),
        (b"(uid Flags)", (UID, FLAGS)),
        (b"(FLAGS UID FLAGS)", (FLAGS, UID)),
        (b"FAST", (FLAGS, INTERNALDATE, SIZE)),
        (b"all", (FLAGS, INTERNALDATE, SIZE, ENVELOPE)),
        (b"FULL", (FLAGS, INTERNALDATE, SIZE, ENVELOPE, BODY)),
        (b"BODY", (BODY,)),
        (b"(BODY BODYSTRUCTURE)", (BODY, BODYSTRUCTURE)),
        (b"RFC822.SIZE", (SIZE,)),
        (b"RFC822", (Section(b"RFC822"),)),
        (b"RFC822.HEADER", (Section(b"RFC822.HEADER", kind=b"HEADER", peek=True),)),
        (b"RFC822.TEXT", (Section(b"RFC822.TEXT", kind=b"TEXT"),)),
        (b"BODY[]", (Section(b"BODY[]"),)),
        (b"(BODY.PEEK[])", (Section(b"BODY[]", peek=True),)),
        (
            b"(BODY.PEEK[HEADER])",
            (Section(b"BODY[HEADER]", kind=b"HEADER", peek=True),),
        ),
        (b"BODY[TEXT]", (Section(b"BODY[TEXT]", kind=b"TEXT"),)),
        (b"body.peek[text]<0.512>", (
            Section(b"BODY[TEXT]<0>", kind=b"TEXT", peek=True, partial=(0, 512)),
        )),
        (b"BODY[]<100.1>", (Section(b"BODY[]<100>", partial=(100, 1)),)),
        (b"BODY[1]", (Section(b"BODY[1]", (1,)),)),
        (b"BODY[1.2.3.MIME]", (
            Section(b"BODY[1.2.3.MIME]", (1, 2, 3), b"MIME"),
        )),
        (b"BODY[4.HEADER]", (Section(b"BODY[4.HEADER]", (4,), b"HEADER"),)),
        (
            b"BODY[HEADER.FIELDS (Date From)]",
            (
                Section(
                    b"BODY[HEADER.FIELDS (DATE FROM)]",
                    kind=b"HEADER.FIELDS",
                    fields=(b"DATE", b"FROM"),
                ),
            ),
        ),
        (
            b'BODY.PEEK[2.header.fields.not ("X y" z)]<5.6>',
            (
                Section(
                    b'BODY[2.HEADER.FIELDS.NOT ("X Y" Z)]<5>',
                    (2,),
                    b"HEADER.FIELDS.NOT",
                    (b"X Y", b"Z"),
                    peek=True,
                    partial=(5, 6),
                ),
            ),
        ),
        (
            b"BODY[HEADER.FIELDS ({4}\r\ndate)]",
            (
                Section(
                    b"BODY[HEADER.FIELDS (DATE)]",
                    kind=b"HEADER.FIELDS",
                    fields=(b"DATE",),
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_items_say_what_they_are_and_how_they_are_named(
    octets: bytes, expected: tuple[FetchItem, ...]
) -> None:
    assert items(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"()",
        b"(FLAGS",
        b"FLAGS)",
        b"FLAGS UID",
        b"(FLAGS  UID)",
        b"(FLAGS UID )",
        b"(ALL)",
        b"(FAST UID)",
        b"WHAT",
        b"(UID WHAT)",
        b"BODY[",
        b"BODY[)",
        b"BODY[0]",
        b"BODY[01]",
        b"BODY[1.]",
        b"BODY[.1]",
        b"BODY[1..2]",
        b"BODY[MIME]",
        b"BODY[1.WHAT]",
        b"BODY[HEADER.FIELDS]",
        b"BODY[HEADER.FIELDS ()]",
        b"BODY[HEADER.FIELDS (A B]",
        b"BODY[HEADER.FIELDS(A)]",
        b"BODY[TEXT]<0>",
        b"BODY[TEXT]<0.0>",
        b"BODY[TEXT]<-1.5>",
        b"BODY[TEXT]<0.4294967296>",
        b"BODY.PEEK",
        b"RFC822.PEEK",
        b"RFC822[TEXT]",
        b"ENVELOPE[]",
        b"BODY[9999999999]",
    ],
)
def test_what_is_no_item_is_a_syntax_error(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError):
        items(octets)


def test_uid_fetch_always_asks_for_the_uid() -> None:
    """RFC 3501 section 6.4.8."""
    asked: list[tuple[bytes, tuple[FetchItem, ...]]] = [
        (b" 1 FLAGS", (UID, FLAGS)),
        (b" 1 (FLAGS)", (UID, FLAGS)),
        (b" 1 (FLAGS UID)", (FLAGS, UID)),
        (b" 1 (UID BODY.PEEK[])", (UID, Section(b"BODY[]", peek=True))),
    ]
    for octets, expected in asked:
        arguments = Arguments(octets, 0, Limits())
        assert fetch.uid(b"a", arguments) == Fetch(b"a", ONE, expected, uid=True)


@pytest.mark.parametrize("octets", [b" 0 (FLAGS)", b" 1,x (FLAGS)", b" 1: (UID)"])
def test_a_bad_set_is_told_with_its_place(octets: bytes) -> None:
    with pytest.raises(ProtocolSyntaxError) as caught:
        fetch.parse(b"a", Arguments(octets, 0, Limits()))
    assert 1 <= caught.value.offset <= 3


def test_items_are_limited() -> None:
    distinct = b" ".join(b"BODY[%d]" % part for part in range(1, 6))
    assert len(items(b"(%b)" % distinct, items=5)) == 5
    with pytest.raises(LimitExceeded):
        items(b"(%b BODY[6] BODY[7])" % distinct, items=5)


def test_header_fields_are_limited() -> None:
    assert items(b"BODY[HEADER.FIELDS (a b c)]", items=3)
    with pytest.raises(LimitExceeded):
        items(b"BODY[HEADER.FIELDS (a b c d)]", items=3)


def test_part_numbers_are_limited() -> None:
    assert items(b"BODY[%b]" % b".".join([b"1"] * 100))
    with pytest.raises(LimitExceeded):
        items(b"BODY[%b]" % b".".join([b"1"] * 101))


def test_the_response_joins_its_values() -> None:
    assert (
        fetch.response(23, rb"FLAGS (\Seen)", b"UID 4827313")
        == b"* 23 FETCH (FLAGS (\\Seen) UID 4827313)\r\n"
    )


kinds = st.sampled_from([b"", b"HEADER", b"TEXT"])
field_names = st.lists(
    st.text('aZ-"\\ (', max_size=3).map(str.encode), min_size=1, max_size=4
)


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    """A section as a client may write it."""
    path = b".".join(b"%d" % n for n in draw(st.lists(st.integers(1, 99), max_size=3)))
    kind = draw(kinds)
    if draw(st.booleans()):
        fields = b" ".join(map(_quoted, draw(field_names)))
        kind = draw(st.sampled_from([b"HEADER.FIELDS", b"Header.Fields.Not"]))
        kind = b"%b (%b)" % (kind, fields)
    spec = b".".join(part for part in (path, kind) if part)
    return draw(st.sampled_from([b"BODY", b"body.peek"])) + b"[%b]" % spec


def _quoted(octets: bytes) -> bytes:
    return b'"%b"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


@given(sections())
def test_what_is_named_reads_back(octets: bytes) -> None:
    """The name in the response is the item once more, but for PEEK."""
    (item,) = items(octets)
    assert isinstance(item, Section)
    (again,) = items(item.name)
    assert isinstance(again, Section)
    assert (again.name, again.path, again.kind, again.fields) == (
        item.name,
        item.path,
        item.kind,
        item.fields,
    )


@given(st.lists(st.sampled_from(ATTRIBUTES), min_size=1, max_size=9, unique=True))
def test_plain_items_are_read_the_same_in_any_case(asked: list[FetchItem]) -> None:
    octets = b"(%b)" % b" ".join(item.name for item in asked)
    assert items(octets) == items(octets.lower()) == tuple(asked)


@given(
    st.binary(max_size=20)
    | st.text("BODY[]()<>.120 ", max_size=20).map(str.encode)
    | st.lists(
        st.sampled_from([b"BODY", b"[", b"]", b"1", b".", b"HEADER", b"<0.1>", b" "]),
        max_size=8,
    ).map(b"".join)
)
def test_any_octets_parse_or_raise(octets: bytes) -> None:
    try:
        found = items(octets)
    except PermanentError:
        return
    assert found

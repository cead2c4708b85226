"""Address lists: RFC 5322 section 3.4 and 4.4, RFC 3501 section 7.4.2."""

import pytest
from hypothesis import given, strategies as st

from maildrop.message.addresses import Address, address_structures, addresses

NO_MAILBOX = b"MISSING_MAILBOX"
NO_DOMAIN = b"MISSING_DOMAIN"

A = (None, None, b"a", b"b.c")
END = (None, None, None, None)


def group(name: bytes) -> Address:
    return (None, None, name, None)


WELL_FORMED: list[tuple[bytes, list[Address]]] = [
    (b"", []),
    (b"  ", []),
    (b"(only a comment)", []),
    (b"a@b.c", [A]),
    (b"<a@b.c>", [A]),
    (b" a@b.c , a@b.c ", [A, A]),
    (b"Joe Q. Public <a@b.c>", [(b"Joe Q. Public", None, b"a", b"b.c")]),
    (b'"Giant; \\"Big\\" Box" <a@b.c>', [(b'Giant; "Big" Box', None, b"a", b"b.c")]),
    (b'"Joe" Q "P" <a@b.c>', [(b"Joe Q P", None, b"a", b"b.c")]),
    (b'"" <a@b.c>', [A]),
    (b"a@b.c (Joe (the) Man)", [(b"Joe (the) Man", None, b"a", b"b.c")]),
    (b"a@b.c (\\) x)", [(b") x", None, b"a", b"b.c")]),
    (
        b"Pete(A nice \\) chap) <a(his account)@b.c(his host)>",
        [(b"Pete", None, b"a", b"b.c")],
    ),
    (b'"a b"@b.c', [(None, None, b"a b", b"b.c")]),
    (b"a@[192.0.2.1]", [(None, None, b"a", b"[192.0.2.1]")]),
    (b"a . d @ b . c", [(None, None, b"a.d", b"b.c")]),
    (b"<@x.y,@z:a@b.c>", [(None, b"@x.y,@z", b"a", b"b.c")]),
    (b"\xc3\xbc <\xc3\xbc@b.c>", [(b"\xc3\xbc", None, b"\xc3\xbc", b"b.c")]),
    (b"=?utf-8?q?=C3=BC?= <a@b.c>", [(b"=?utf-8?q?=C3=BC?=", None, b"a", b"b.c")]),
    (b"A Group:a@b.c, Joe <a@b.c>;", [group(b"A Group"), A, (b"Joe", *A[1:]), END]),
    (b"Undisclosed recipients:;", [group(b"Undisclosed recipients"), END]),
    (b"(Empty list)(start)Hidden :(nobody(that I know))  ;", [group(b"Hidden"), END]),
    (b"g:a@b.c;, a@b.c", [group(b"g"), A, END, A]),
    (b"John\n Doe <a@b.c>", [(b"John Doe", None, b"a", b"b.c")]),
    (b'"John\n Doe" <a@b.c>', [(b"John Doe", None, b"a", b"b.c")]),
]

BROKEN: list[tuple[bytes, list[Address]]] = [
    (b"a", [(None, None, b"a", NO_DOMAIN)]),
    (b"a b", [(b"a b", None, NO_MAILBOX, NO_DOMAIN)]),
    (b'"a b"', [(b"a b", None, NO_MAILBOX, NO_DOMAIN)]),
    (b"Joe <>", [(b"Joe", None, NO_MAILBOX, NO_DOMAIN)]),
    (b"Joe <a>", [(b"Joe", None, b"a", NO_DOMAIN)]),
    (b"Joe <a@b.c", [(b"Joe", None, b"a", b"SYNTAX_ERROR")]),
    (b"Joe <a b@c>", [(b"Joe", None, b"a", b"SYNTAX_ERROR")]),
    (b"<@x a@b.c>", [(None, b"INVALID_ROUTE", b"a", b"b.c")]),
    (b"a@", [(None, None, b"a", NO_DOMAIN)]),
    (b"@b", [(None, None, NO_MAILBOX, b"b")]),
    (b"a.@b.c", [(None, None, b"a.", b"b.c")]),
    (b"a..d@b.c", [(None, None, b"a..d", b"b.c")]),
    (b"a@b.c,", [A]),
    (b",", [(None, None, NO_MAILBOX, NO_DOMAIN)] * 1),
    (b"a@b.c,,a@b.c", [A, (None, None, NO_MAILBOX, NO_DOMAIN), A]),
    (b"a@b.c; a@b.c", [A]),
    (b"g:a@b.c", [group(b"g"), A, END]),
    (b"g:", [group(b"g"), END]),
    (b"a@b.c, (", [A, (None, None, NO_MAILBOX, NO_DOMAIN)]),
    (b"a\0b@c", [(None, None, b"a", NO_DOMAIN)]),
    (b'"\0" <a@b.c>', [(b"\xef\xbf\xbd", None, b"a", b"b.c")]),
    (b'"never closed <a@b.c>', [(None, None, NO_MAILBOX, NO_DOMAIN)]),
    (b"a@b.c (never closed", [(None, None, b"a", NO_DOMAIN)]),
    (b"a@b.c (never\n closed", [(b"never", None, b"a", NO_DOMAIN)]),
    (b'Joe "never\n closed <a@b.c>', [(b"Joe never", None, NO_MAILBOX, NO_DOMAIN)]),
    (b"a@[1[2]", [(None, None, b"a", NO_DOMAIN)]),
]


@pytest.mark.parametrize(("value", "found"), WELL_FORMED, ids=repr)
def test_addresses_are_read(value: bytes, found: list[Address]) -> None:
    assert addresses(value, 100) == found


@pytest.mark.parametrize(("value", "found"), BROKEN, ids=repr)
def test_what_is_broken_is_shown_as_well_as_it_can_be(
    value: bytes, found: list[Address]
) -> None:
    assert addresses(value, 100) == found


def quoted(value: bytes | None) -> bytes:
    return b"NIL" if value is None else b'"' + value + b'"'


@pytest.mark.parametrize(
    ("value", "found"),
    [pair for pair in WELL_FORMED + BROKEN if b"\xc3" not in pair[0]],
    ids=repr,
)
def test_the_short_cut_says_the_same(value: bytes, found: list[Address]) -> None:
    if any(b'"' in (name or b"") or b"\xef" in (name or b"") for name, *_ in found):
        return
    written = b"".join(
        b"(%b)" % b" ".join(quoted(item) for item in address) for address in found
    )
    assert address_structures([value], 100) == (b"(%b)" % written if found else b"NIL")


def test_fields_of_one_name_are_one_list() -> None:
    two = b'((NIL NIL "a" "b.c")(NIL NIL "a" "b.c"))'
    assert address_structures([b"a@b.c", b"a@b.c"], 100) == two
    assert address_structures([], 100) == b"NIL"


@pytest.mark.parametrize(
    "value", [b"a@b.c," * 50, b"(x)a@b.c," * 50, b"g:" + b"a@b,," * 50]
)
def test_addresses_over_the_limit_are_left_out(value: bytes) -> None:
    assert address_structures([value, value], 7).count(b"(NIL") == 7


PIECES = st.sampled_from(
    [
        b"a",
        b"@",
        b"b.c",
        b",",
        b":",
        b";",
        b"<",
        b">",
        b"(",
        b")",
        b'"',
        b"\\",
        b" ",
        b".",
        b"[",
        b"]",
        b"\n ",
        b"\xff",
        b"\0",
        b"Joe <a@b.c>",
        b'"J" <a@b.c>, ',
    ]
)


@given(st.lists(PIECES, max_size=25).map(b"".join))
def test_any_octets_are_a_list(value: bytes) -> None:
    for address in addresses(value, 5):
        assert len(address) == 4


@given(st.lists(PIECES, max_size=25).map(b"".join))
def test_any_octets_are_the_same_with_and_without_the_short_cut(value: bytes) -> None:
    """A comment in front of every address keeps the short cut out."""
    assert address_structures([b"()" + value], 50) == address_structures([value], 50)


@pytest.mark.parametrize(
    "value",
    [
        b"(" * 1_000_000,
        b'"' * 249_999,
        b"<" * 1_000_000,
        b"\\" * 1_000_000,
        b"a " * 200_000,
        b"a." * 200_000,
        b'"\\a' * 300_000,
        b"a@b(" * 200_000,
        b"[" * 1_000_000,
        b"a:" * 500_000,
        b" " * 1_000_000,
        b"@a," * 300_000,
        b"<@a,@b" * 150_000,
    ],
    ids=lambda value: repr(value[:6]),
)
def test_a_megabyte_of_hostile_octets_is_gone_through_once(value: bytes) -> None:
    assert len(addresses(value, 100)) <= 102

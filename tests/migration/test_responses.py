"""What IMAP servers answer, as values."""

import pytest
from hypothesis import given, strategies as st

from maildrop.errors import ProtocolSyntaxError
from maildrop.migration.responses import (
    DEPTH_MAX,
    Part,
    Value,
    code,
    fetched,
    grouped,
    number,
    texts,
    values,
)

LINES: list[tuple[list[Part], list[Value]]] = [
    ([b""], []),
    ([b"a b"], [b"a", b"b"]),
    ([b"()"], [[]]),
    ([b"(a (b NIL) nil) c"], [[b"a", [b"b", None], None], b"c"]),
    ([b'"" "a b" "a\\"b\\\\"'], [b"", b"a b", b'a"b\\']),
    ([b'"NIL"'], [b"NIL"]),
    ([b'(\\Seen $Label1 \\*) "."'], [[b"\\Seen", b"$Label1", b"\\*"], b"."]),
    ([b"BODY[HEADER.FIELDS (A B)]<0> x"], [b"BODY[HEADER.FIELDS (A B)]<0>", b"x"]),
    ([b"a]b"], [b"a]b"]),
    ([(b"1 (BODY[] {3}", b"a)b"), b")"], [b"1", [b"BODY[]", b"a)b"]]),
    ([(b"({1}", b"x"), (b" ~{2}", b'"('), b" y)"], [[b"x", b'"(', b"y"]]),
    ([(b"{0}", b"")], [b""]),
]


@pytest.mark.parametrize(("parts", "expected"), LINES)
def test_a_response_is_values(parts: list[Part], expected: list[Value]) -> None:
    """RFC 3501 section 9."""
    assert values(parts) == expected


@pytest.mark.parametrize(
    "parts",
    [
        [b"("],
        [b")"],
        [b'"open'],
        [b"{3}"],
        [(b"no announcement", b"x")],
        [b"(" * (DEPTH_MAX + 2) + b")" * (DEPTH_MAX + 2)],
    ],
)
def test_what_is_no_response_is_a_syntax_error(parts: list[Part]) -> None:
    with pytest.raises(ProtocolSyntaxError):
        values(parts)


def test_lists_may_be_as_deep_as_the_limit() -> None:
    found = values([b"(" * DEPTH_MAX + b")" * DEPTH_MAX])
    for _ in range(DEPTH_MAX - 1):
        (found,) = found  # type: ignore[assignment]
    assert found == [[]]


@given(st.lists(st.binary(max_size=60) | st.tuples(st.binary(), st.binary())))
def test_any_octets_are_values_or_a_syntax_error(parts: list[Part]) -> None:
    try:
        values(parts)
    except ProtocolSyntaxError:
        return


def _written(value: Value) -> list[Part]:
    """A value as a server may send it: strings with odd octets as literals."""
    if value is None:
        return [b"NIL"]
    if isinstance(value, list):
        inner = [part for item in value for part in (*_written(item), b" ")]
        return [b"(", *inner, b")"]
    return [(b"{%d}" % len(value), value)]


def _joined(parts: list[Part]) -> list[Part]:
    """Lines put together, up to each literal."""
    found: list[Part] = []
    line = b""
    for part in parts:
        if isinstance(part, tuple):
            found.append((line + part[0], part[1]))
            line = b""
        else:
            line += part
    return [*found, line]


trees = st.recursive(
    st.binary(max_size=20) | st.none(), lambda inner: st.lists(inner, max_size=4)
)


@given(trees)
def test_what_is_written_reads_back(value: Value) -> None:
    assert values(_joined(_written(value))) == [value]


def test_responses_are_put_together_from_what_imaplib_gives() -> None:
    data = [(b"1 (BODY[] {1}", b"x"), b")", b"2 (UID 5)", None]
    found = [fetched(parts) for parts in grouped(data)]
    assert found == [(1, {b"BODY[]": b"x"}), (2, {b"UID": b"5"})]


@pytest.mark.parametrize(
    "line", [b"x (UID 5)", b"1 UID", b"1 (UID)", b"1 ((a) b)", b""]
)
def test_what_is_no_fetch_response_is_a_syntax_error(line: bytes) -> None:
    """RFC 3501 section 7.4.2."""
    with pytest.raises(ProtocolSyntaxError):
        fetched([line])


def test_numbers_and_texts_are_told_from_the_rest() -> None:
    assert number(b"7") == number([b"7"]) == 7
    assert number(b"x") is number(None) is number([b"1", b"2"]) is None
    assert texts([b"a", None, [b"b"], b"\xff"]) == ["a", "\N{REPLACEMENT CHARACTER}"]
    assert texts(b"a") == []


def test_a_response_code_counts_as_it_was_sent_last() -> None:
    assert code([b"1", b"2"]) == b"2"
    assert code([]) is None
    assert code([None]) is None

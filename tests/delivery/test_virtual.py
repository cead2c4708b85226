"""Virtual aliases: the files, and what is found in them."""

from pathlib import Path as File

import pytest
from hypothesis import given, strategies as st
from twisted.internet.task import Clock

from maildrop.delivery.virtual import Virtual, meant, parse
from maildrop.errors import StorageFailure
from maildrop.smtp.wire.path import Path

TEXT = """\
# comment
Example.ORG   anything goes here: |x
info@Example.org\tann,
    ben@far.example
@Bücher.example  catch
user  "a b"@c.example
"a b"@example.org  ann
@w.example @example.org
"""


def test_a_file_is_read() -> None:
    """virtual(5)."""
    assert parse(TEXT) == (
        {
            "example.org": (("anything goes here: |x",), 2),
            "info@example.org": (("ann", "ben@far.example"), 3),
            "@xn--bcher-kva.example": (("catch",), 5),
            "user": (('"a b"@c.example',), 6),
            "a b@example.org": (("ann",), 7),
            "@w.example": (("@example.org",), 8),
        },
        [],
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alone", "not of the form"),
        ("user@ x", "not of the form"),
        ('x@y.example "z', "not of the form"),
        ("x@y.example |cmd", "only addresses"),
        ("x@y.example /file", "only addresses"),
        ("x@y.example :include:/x", "only addresses"),
        ("x@y.example \\x", "only addresses"),
        ("x@y.example a@b@c", "no address"),
        ("x@y.example a\nX@Y.example b", "has an earlier line"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, reason: str) -> None:
    (problem,) = parse("\n" + text)[1]
    assert reason in problem.reason
    assert problem.line == text.count("\n") + 2


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    entries, _ = parse(text)
    assert all(values for values, _ in entries.values())


@pytest.fixture
def virtual(tmp_path: File) -> Virtual:
    (tmp_path / "one").write_text("a@x.example one\n@x.example rest\nx.example y\n")
    (tmp_path / "two").write_text("a@x.example two\nb+c@x.example two\nd two\n")
    virtual = Virtual([str(tmp_path / "one"), str(tmp_path / "two")], Clock())
    assert virtual.due()
    virtual.load()
    assert not virtual.due()
    return virtual


@pytest.mark.parametrize(
    ("local", "bare", "expected"),
    [
        ("a", False, ("a@x.example", ("one",), "")),
        ("A+x", False, ("a@x.example", ("one",), "+x")),
        ("b+c", False, ("b+c@x.example", ("two",), "")),
        ("b+d", False, ("@x.example", ("rest",), "")),
        ("d", False, ("@x.example", ("rest",), "")),
        ("d", True, ("d", ("two",), "")),
        ("d+e", True, ("d", ("two",), "+e")),
    ],
)
def test_in_which_order_patterns_are_tried(
    virtual: Virtual, local: str, bare: bool, expected: tuple[object, ...]
) -> None:
    name, plus, rest = local.partition("+")
    found = virtual.find(local, "x.example", (name, plus + rest), bare=bare)
    assert found is not None
    assert (found.pattern, found.values, found.detail) == expected


def test_which_domains_are_ours(virtual: Virtual) -> None:
    assert virtual.is_domain("x.example")
    assert not virtual.is_domain("y.example")
    assert list(virtual.domains()) == ["x.example"]
    assert virtual.find("a", "y.example", ("a", ""), bare=False) is None


def test_problems_are_listed_for_the_administrator(tmp_path: File) -> None:
    file = tmp_path / "virtual"
    file.write_text("x\n")
    virtual = Virtual([str(file), str(tmp_path / "missing")], Clock())
    assert list(virtual.problems()) == [
        f"{file}:1: not of the form pattern address, address; a domain has a word "
        "after it, which has no meaning: example.org anything",
        f"{tmp_path}/missing: No such file or directory",
    ]
    with pytest.raises(StorageFailure):
        virtual.load()


@pytest.mark.parametrize(
    ("value", "extension", "expected"),
    [
        ("ann", "", Path("ann", "")),
        ("ann@c.example", "+x", Path("ann+x", "c.example")),
        ("@c.example", "", Path("Bob", "c.example")),
        ("a@b@c", "", None),
    ],
)
def test_the_address_that_is_meant(
    value: str, extension: str, expected: Path | None
) -> None:
    assert meant(value, Path("Bob", "b.example"), extension) == expected

"""Pages made from the schema."""

import tomllib
from pathlib import Path

import pytest

from maildrop.app import reference
from maildrop.app.config import parse
from maildrop.app.schema import KEYS

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conf/maildrop.toml", reference.example()),
        ("docs/reference.md", reference.reference()),
    ],
)
def test_the_pages_are_up_to_date(name: str, text: str) -> None:
    """If not: ``python -m maildrop.app.reference``."""
    assert (ROOT / name).read_text() == text


def uncommented() -> str:
    """The example with all keys in force."""
    lines = reference.example().splitlines()
    return "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in lines
    )


def test_the_example_is_a_good_configuration() -> None:
    assert parse(reference.example(), "/x/maildrop.toml").problems == []


def test_the_example_is_one_with_every_key_in_force() -> None:
    assert parse(uncommented(), "/x/maildrop.toml").problems == []


def test_the_example_has_every_key() -> None:
    reading = parse(uncommented(), "/x/maildrop.toml")
    assert {
        tuple(name for name in path if isinstance(name, str)) for path in reading.lines
    } >= set(KEYS)


def test_the_reference_has_every_key() -> None:
    text = reference.reference()
    assert all(f"| `{path[-1]}` |" in text for path in KEYS)


def test_a_key_is_explained_with_type_default_and_example() -> None:
    text = reference.explain(KEYS["mail", "domains"])
    assert text.startswith("mail.domains    ([mail])")
    assert "value:   a list of domains" in text
    assert "default: the hostname, and localhost" in text
    assert 'example: domains = ["example.org"]' in text


@pytest.mark.parametrize(
    "value", [True, 5, 1.5, 'a "b" \\c', ("x", "y"), [], "é", "tcp:1:interface=\\:\\:1"]
)
def test_a_value_written_is_read_back(value: object) -> None:
    found = tomllib.loads(f"x = {reference.toml(value)}")["x"]
    assert found == (list(value) if isinstance(value, tuple) else value)


def test_both_files_are_written(tmp_path: Path) -> None:
    written = reference.write(str(tmp_path))
    assert [Path(path).exists() for path in written] == [True, True]

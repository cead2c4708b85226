"""Every RFC that the code cites stands in the index, with its title."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CITED = re.compile(r"\bRFCs? (\d{3,5})\b")


def index() -> dict[str, list[str]]:
    lines = (ROOT / "tests/rfc/index.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    return {number: rest for number, *rest in rows}


def cited() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((ROOT / "maildrop").rglob("*.py")):
        for number in CITED.findall(path.read_text()):
            found.setdefault(number, str(path.relative_to(ROOT)))
    return found


def test_every_cited_rfc_is_in_the_index() -> None:
    missing = {
        number: path for number, path in cited().items() if number not in index()
    }
    assert missing == {}


def test_each_line_has_number_title_and_what_is_served() -> None:
    for number, rest in index().items():
        assert number.isdigit(), number
        assert len(rest) == 2, number
        assert all(rest), number

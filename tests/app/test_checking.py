"""The mail of users checked, and the page of the manual about it."""

from pathlib import Path

from maildrop.app.checking import codes, manual
from maildrop.storage.findings import Code

ROOT = Path(__file__).parent.parent.parent


def test_the_manual_has_every_code() -> None:
    """If not: ``python -m maildrop.app.checking``."""
    page = (ROOT / "docs" / "check.md").read_text()
    assert page == manual(page)
    assert all(f"| `{code.code}` |" in codes() for code in Code)


def test_no_two_kinds_of_findings_are_one() -> None:
    """Members of an enumeration with equal values would be."""
    assert len(Code) == len(Code.__members__)

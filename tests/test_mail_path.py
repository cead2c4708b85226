"""What is said of the program's own files is true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from maildrop.decisions.telling import KINDS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "maildrop"
#: Methods that note a decision; its kind is among their first arguments.
NOTING = frozenset({"note", "note_message", "_note", "note_decision", "tell"})


def named() -> Iterator[str]:
    """The modules that the page names, with those in braces."""
    text = (ROOT / "docs" / "mail-path.md").read_text()
    for path in re.findall(r"[\w/{},]+\.py", text):
        found = re.fullmatch(r"(.*)\{(.*)\}(.*)", path)
        if found is None:
            yield path
            continue
        yield from (f"{found[1]}{each}{found[3]}" for each in found[2].split(","))


def test_every_file_on_the_path_of_mail_is_there() -> None:
    there = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")}
    missing = [
        path
        for path in named()
        if not any(each == path or each.endswith(f"/{path}") for each in there)
    ]
    assert missing == []


def kinds() -> Iterator[str]:
    """The kinds of decisions that the program notes."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        if not any(f"{each}(" in text for each in NOTING):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not node.keywords:
                continue
            if getattr(node.func, "attr", "") not in NOTING:
                continue
            for argument in node.args[:2]:
                kind = argument.value if isinstance(argument, ast.Constant) else ""
                if isinstance(kind, str) and re.fullmatch("[a-z ]+", kind):
                    yield kind


def test_every_kind_of_decision_has_words() -> None:
    found = set(kinds())
    assert {"login", "delivered", "tried", "not accepted"} <= found
    assert found - set(KINDS) == set()

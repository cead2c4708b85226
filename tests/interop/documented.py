"""The examples of ``docs/integrating.md``: what is shown there is what is tested.

In this file:
    example    one of them, with names of the test's own put in
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PAGE: Final = Path(__file__).parents[2] / "docs" / "integrating.md"
_HEADING: Final = re.compile(r"^##+ (.*)$", re.MULTILINE)
_NEXT: Final = re.compile(r"^##+ ", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PART: Final = re.compile(r"^# ([^,:\n]*).*\n((?:(?!# ).*\n)*)", re.MULTILINE)


def example(heading: str, name: str, names: Mapping[str, object]) -> str:
    """An example.

    Args:
        heading: Below which it stands.
        name: The comment above it, up to a comma or colon.
        names: What is there, and what is put in its place; all of it is there.
    """
    page = _PAGE.read_text()
    [start] = [each.end() for each in _HEADING.finditer(page) if each[1] == heading]
    end = _NEXT.search(page, start)
    section = page[start : end.start() if end else len(page)]
    parts: dict[str, str] = {}
    for block in _BLOCK.finditer(section):
        parts |= dict(_PART.findall(block[1]))
    text = parts[name]
    for old, new in names.items():
        assert old in text, f"{old} is not in the example {name} of {heading}"
        text = text.replace(old, str(new))
    return text

"""The architecture, enforced: layers, purity of the sans-I/O cores, file size."""

import ast
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "maildrop"

#: Package or module -> layer.  The longest matching prefix counts.
LAYERS = {
    "maildrop": 0,
    "maildrop.errors": 0,
    "maildrop.metrics": 0,
    "maildrop.durable": 0,
    "maildrop.tls": 0,
    "maildrop.net": 0,
    "maildrop.decisions": 0,
    "maildrop.text": 1,
    "maildrop.message": 2,
    "maildrop.sasl": 2,
    "maildrop.imap.wire": 3,
    "maildrop.pop3.wire": 3,
    "maildrop.smtp.wire": 3,
    "maildrop.mailbox": 4,
    "maildrop.auth": 5,
    "maildrop.storage": 5,
    "maildrop.migration": 6,
    "maildrop.queue": 6,
    "maildrop.delivery": 7,
    "maildrop.imap": 8,
    "maildrop.pop3": 8,
    "maildrop.smtp": 8,
    "maildrop.control": 8,
    "maildrop.sendmail": 8,
    "maildrop.app": 9,
    "maildrop.admin": 9,
}
PURE = (
    "maildrop.text",
    "maildrop.message",
    "maildrop.sasl",
    "maildrop.imap.wire",
    "maildrop.pop3.wire",
    "maildrop.smtp.wire",
)
IMPURE_MODULES = frozenset(
    {"twisted", "socket", "os", "io", "pathlib", "time", "threading", "tempfile"}
)
ONLY_IN_DURABLE = frozenset(
    {"fsync", "fdatasync", "rename", "replace", "link", "renames", "O_EXCL"}
)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = frozenset(map(name_of, MODULES))


def room(module: str) -> str:
    """The entry of LAYERS that a module belongs to."""
    names = [n for n in LAYERS if module == n or module.startswith(n + ".")]
    return max(names, key=len)


@functools.cache
def imports(path: Path) -> frozenset[str]:
    return frozenset(imported(path))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else str(node.module)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_only_downwards(path: Path) -> None:
    here = room(name_of(path))
    for target in imports(path):
        if not target.startswith("maildrop"):
            continue
        there = room(target)
        if there == here or target == "maildrop":
            continue
        if LAYERS[here] == 0:
            assert LAYERS[there] == 0, f"{name_of(path)} imports {target}"
        elif (here, there) != ("maildrop.admin", "maildrop.app"):
            assert LAYERS[there] < LAYERS[here], f"{name_of(path)} imports {target}"
        if there == "maildrop.storage":
            assert here == "maildrop.app", f"only app imports storage, not {here}"


@pytest.mark.parametrize(
    "path", [p for p in MODULES if room(name_of(p)) in PURE], ids=name_of
)
def test_sans_io_cores_touch_nothing(path: Path) -> None:
    for target in imports(path):
        assert target.split(".")[0] not in IMPURE_MODULES, f"{path} imports {target}"


def durable_calls(text: str) -> set[str]:
    wanted = {f"os.{each}" for each in ONLY_IN_DURABLE}
    if not any(each in text for each in wanted):
        return set()
    attributes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute))
    return wanted.intersection(map(ast.unparse, attributes))


def test_only_durable_makes_things_durable() -> None:
    assert durable_calls("os.fsync(os.open('x', os.O_EXCL))") == {
        "os.fsync",
        "os.O_EXCL",
    }
    found = {name_of(path): durable_calls(path.read_text()) for path in MODULES}
    found.pop("maildrop.durable")
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_there_are_no_import_cycles() -> None:
    graph = {name_of(p): imports(p) for p in MODULES}
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module in done or module not in graph:
            return
        for target in graph[module]:
            walk(target, (*trail, module))
        done.add(module)

    for module in graph:
        walk(module, ())


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in itertools.chain(MODULES, (ROOT / "tests").rglob("*.py"))
    }
    assert {path: lines for path, lines in lengths.items() if lines > 500} == {}

"""Whatever changes the disk in a store goes through ``durable``, so all is tried."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "maildrop"
#: Calls of ``os`` that change the disk.
CHANGES = frozenset(
    {
        *("chmod", "chown", "fchmod", "fchown", "lchown", "utime", "setxattr"),
        *("fdatasync", "fsync", "ftruncate", "truncate", "posix_fallocate"),
        *("write", "writev", "pwrite", "pwritev", "sendfile", "copy_file_range"),
        *("link", "symlink", "mkfifo", "mknod", "mkdir", "makedirs"),
        *("rename", "renames", "replace", "remove", "unlink", "rmdir", "removedirs"),
    }
)
#: Flags of ``os.open`` that do.
FLAGS = frozenset(
    {"O_CREAT", "O_EXCL", "O_TRUNC", "O_WRONLY", "O_RDWR", "O_APPEND", "O_TMPFILE"}
)
#: Methods of paths and modules that do.
ELSEWHERE = frozenset({"shutil", "tempfile"})
METHODS = frozenset(
    {"write_bytes", "write_text", "touch", "symlink_to", "hardlink_to", "rmtree"}
)
MODULES = sorted((PACKAGE / "storage").rglob("*.py"))


def changes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            of_os = isinstance(node.value, ast.Name) and node.value.id == "os"
            if (of_os and node.attr in CHANGES | FLAGS) or node.attr in METHODS:
                yield f"line {node.lineno}: {node.attr}"
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in ELSEWHERE)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            mode = node.args[1] if len(node.args) > 1 else None
            writes = isinstance(mode, ast.Constant) and set(str(mode.value)) & set(
                "wax+"
            )
            if node.func.id == "open" and writes:
                yield f"line {node.lineno}: open for writing"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_store_changes_the_disk_through_durable_only(path: Path) -> None:
    assert list(changes(ast.parse(path.read_text()))) == []

"""Pages made from the schema: the example file, the reference, ``config explain``.

In this file:
    example     ``conf/maildrop.toml``: every key, commented
    reference   ``docs/reference.md``
    explain     one key, for the terminal
    toml        a value as TOML writes it

``python -m maildrop.app.reference`` writes the two files anew below the current
directory; a test tells when they are out of date.
"""

import os
import sys
import textwrap
from typing import Final

from maildrop.app.schema import ARRAYS, KEYS, PROTOCOLS, SECTIONS
from maildrop.app.schema_key import Key
from maildrop.durable import Disk

_HEAD: Final = """\
# The configuration of maildrop, with every key there is.  A key that is commented out
# shows its default or an example.  Relative paths are relative to this file.
#
#   maildrop --config FILE config check         what is wrong with it, line by line
#   maildrop --config FILE config show          what it comes to, defaults filled in
#   maildrop config explain mail.location       what a key means
#
# A running maildrop takes up changes with `maildrop reload` (or SIGHUP).
"""
_WIDTH: Final = 88
#: Keys that stand in the example as they are, because a first configuration has them.
_PLAIN: Final = frozenset({("version",)})
_EXAMPLES: Final[dict[tuple[str, ...], tuple[dict[str, object], ...]]] = {
    ("listen",): (
        {"protocol": "imap", "endpoint": "tcp:143", "tls": "starttls"},
        {
            "protocol": "imap",
            "endpoint": "tcp:993",
            "tls": "implicit",
            "proxies": ["10.0.0.5/32"],
        },
        {
            "protocol": "lmtp",
            "endpoint": "unix:/run/maildrop/lmtp.sock:mode=660",
            "tls": "none",
        },
    ),
    ("quota", "warning"): (
        {"at": 80, "message": "quota-warning.eml"},
        {"at": 95, "command": ["/usr/local/bin/quota-warning", "urgent"]},
    ),
    ("route",): (
        {"domain": "lists.example.org", "host": "10.0.0.7", "tls": "none"},
        {
            "domain": "example.org",
            "host": "/run/dovecot/lmtp",
            "protocol": "lmtp",
        },
        {
            "domain": ".example.net",
            "host": "mail.example.net",
            "port": 465,
            "tls": "verified",
            "ca": "example.net.pem",
            "user": "example-user",
            "password_file": "example.net-password",
        },
        {"domain": "example.com", "tls": "verified"},
    ),
    ("expire",): (
        {"mailbox": "\\Trash", "after": "30d"},
        {"mailbox": "Lists/*", "after": "1000d"},
    ),
}


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _about(cls: type[object]) -> str:
    return " ".join((cls.__doc__ or "").split())


def _comment(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _default(key: Key) -> str:
    if key.default is None:
        return "must be given"
    return key.shown or toml(key.default)


def _entry(key: Key) -> str:
    value = key.example or toml(key.default)
    mark = "" if key.path in _PLAIN else "#"
    return f"{_comment(key.about)}\n{mark}{key.name} = {value}\n"


def example() -> str:
    """The text of ``conf/maildrop.toml``."""
    parts = [_HEAD]
    for section, cls in SECTIONS.items():
        keys = [key for key in KEYS.values() if key.section == section]
        if section in ARRAYS:
            parts.append(_several(section, keys, cls))
            continue
        if section:
            parts.append(f"{_comment(_about(cls))}\n[{'.'.join(section)}]\n")
        parts += [_entry(key) for key in keys]
    return "\n".join(parts)


def _several(section: tuple[str, ...], keys: list[Key], cls: type[object]) -> str:
    lines = [_comment(_about(cls)), "#"]
    lines += [_comment(f"{key.name}: {key.about}") for key in keys]
    for values in _EXAMPLES[section]:
        lines += ["", f"#[[{'.'.join(section)}]]"]
        lines += [f"#{name} = {toml(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _row(key: Key) -> str:
    about = key.about.replace("|", "\\|")
    kind = key.kind.name.replace("|", "\\|")
    default = _default(key)
    shown = default if key.shown or key.default is None else f"`{default}`"
    return f"| `{key.name}` | {kind} | {shown} | {about} |"


def reference() -> str:
    """The text of ``docs/reference.md``."""
    lines = [
        "# Configuration reference",
        "",
        "This page is made from the schema in `maildrop/app/schema.py`, as is the",
        "commented example `conf/maildrop.toml`.",
        "",
        "The configuration is one TOML file: the one named with `--config`, else",
        "`conf/maildrop.toml` in the current directory, else",
        "`/etc/maildrop/maildrop.toml`. Every key may be left out. Relative paths are",
        "relative to the file. `maildrop config check` lists all that is wrong with a",
        "file, each with its line; maildrop does not start with a file that has errors",
        "(exit status 78).",
        "",
    ]
    for section, cls in SECTIONS.items():
        name = ".".join(section)
        title = "Before the first table"
        if section:
            title = f"`[[{name}]]`" if section in ARRAYS else f"`[{name}]`"
        lines += [f"## {title}", ""]
        if section:
            lines += [*textwrap.wrap(_about(cls), _WIDTH), ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        lines += [_row(key) for key in KEYS.values() if key.section == section]
        lines.append("")
    lines += ["## Protocols", "", "| protocol | for | port | port with implicit TLS |"]
    lines.append("|---|---|---|---|")
    for name, protocol in PROTOCOLS.items():
        implicit = protocol.implicit or "-"
        lines.append(f"| `{name}` | {protocol.about} | {protocol.port} | {implicit} |")
    return "\n".join(lines) + "\n"


def explain(key: Key) -> str:
    """What one key means."""
    table = ".".join(key.section)
    where = f"[{table}]" if table else "before the first table"
    if key.section in ARRAYS:
        where = f"[[{table}]]"
    lines = [
        f"{'.'.join(key.path)}    ({where})",
        "",
        *textwrap.wrap(key.about, 79),
        "",
        f"value:   {key.kind.name}",
        f"default: {_default(key)}",
    ]
    if key.example:
        lines.append(f"example: {key.name} = {key.example}")
    return "\n".join(lines)


def write(directory: str) -> list[str]:
    """Write the example and the reference below ``directory``; gives their paths."""
    written = []
    for name, text in (
        ("conf/maildrop.toml", example()),
        ("docs/reference.md", reference()),
    ):
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Disk().replace_file(path, text.encode(), 0o644)
        written.append(path)
    return written


if __name__ == "__main__":
    sys.stdout.write("".join(path + "\n" for path in write(".")))

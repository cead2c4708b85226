"""On which line each key stands."""

import tomllib

import pytest
from hypothesis import given, strategies as st

from maildrop.app.toml_lines import key_lines, syntax_error

TEXT = '''version = 1
# [x]
a.b = "x # [ y"
m = [
  "k = 1",  # ]
  [1, 2],
]
s = """
z = 3 \\"""
"""
q = \'\'\'
[no]\'\'\'
[mail] # c
domains = []
[mail.special_use]
"sent" = ''
[[listen]]
protocol = "imap"
[[listen]]
protocol = { x = [1,
2] }
[listen.more]
y = 1
[log]
'''


def test_every_key_and_table_has_its_line() -> None:
    assert key_lines(TEXT) == {
        ("version",): 1,
        ("a",): 3,
        ("a", "b"): 3,
        ("m",): 4,
        ("s",): 8,
        ("q",): 11,
        ("mail",): 13,
        ("mail", "domains"): 14,
        ("mail", "special_use"): 15,
        ("mail", "special_use", "sent"): 16,
        ("listen", 0): 17,
        ("listen", 0, "protocol"): 18,
        ("listen", 1): 19,
        ("listen", 1, "protocol"): 20,
        ("listen", 1, "more"): 22,
        ("listen", 1, "more", "y"): 23,
        ("log",): 24,
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = = 2\n", 2), ("a = [1,\n", 2), ('a = "x\n', 1), ("\n\n]", 3)],
)
def test_a_syntax_error_has_its_line(text: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    found, reason = syntax_error(caught.value, text)
    assert found == line
    assert "(at" not in reason


NAMES = st.text("abcxyz-_", min_size=1, max_size=4)
VALUES = st.sampled_from(
    ["1", '"# ["', "[1, [2],\n 3]", "'''\nx = 1\n'''", '"""a\\"""b"""', "{a = 1}"]
)


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_stands_before_it_a_key_is_found(entries: dict[str, str]) -> None:
    text, expected, line = "", {}, 1
    for name, value in entries.items():
        expected[(name,)] = line
        entry = f"{name} = {value}\n"
        text += entry
        line += entry.count("\n")
    assert set(tomllib.loads(text)) == {name for (name,) in expected}
    assert key_lines(text) == expected

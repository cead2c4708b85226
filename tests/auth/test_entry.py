"""Lines of a passwd-style file."""

import ipaddress

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.auth.entry import (
    BadLine,
    Entry,
    Extra,
    is_user_name,
    octets,
    parse,
    parse_extra,
)
from maildrop.errors import MaildropError


def test_all_fields_are_read() -> None:
    line = b"u:{PLAIN}p:1000:100:U. Ser:/home/u:/bin/sh:mail=mbox:/var/mail/u quota=1G"
    assert parse(line) == Entry(
        "u",
        "{PLAIN}p",
        "1000",
        "100",
        "U. Ser",
        "/home/u",
        "/bin/sh",
        "mail=mbox:/var/mail/u quota=1G",
    )


@pytest.mark.parametrize(
    "line", ["u:", "u:p", "u:p:1", "u:x:1000:100:U:/home/u:/bin/sh", "u::::::/bin/sh"]
)
def test_a_line_is_written_as_it_was_read(line: str) -> None:
    assert str(parse(line.encode())) == line
    assert str(parse(line.encode() + b"\r")) == line


@pytest.mark.parametrize(
    "name",
    ["bob", "Bob.Smith", "bob+x", "bob@example.org", "jörg", "a..b", "~bob", "-bob"],
)
def test_names_that_users_have(name: str) -> None:
    assert is_user_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../bob",
        "bob@..",
        "bob@.",
        "@example.org",
        "bob@",
        "a b",
        "a\tb",
        "a\0b",
        "a\x7f",
        "a\\b",
        "a:b",
        "#bob",
        "a" * 256,
        "é" * 128,
    ],
)
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    assert not is_user_name(name)
    with pytest.raises(BadLine):
        parse(f"{name}:x".encode().replace(b"a:b:x", b"a\\b:x"))


@pytest.mark.parametrize("line", [b"bob", b"\xff:x", b":x", b"../x:y"])
def test_lines_that_cannot_be_used(line: bytes) -> None:
    with pytest.raises(BadLine):
        parse(line)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1000B", 1000),
        ("2k", 2048),
        ("500M", 500 << 20),
        ("1G", 1 << 30),
        ("1GiB", 1 << 30),
        ("3TB", 3 << 40),
    ],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert octets(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "1.5G", "1Q", "1" * 16, "\u0661"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadLine):
        octets(text)


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ("", Extra()),
        ("mail=maildir:~/M", Extra(mail="maildir:~/M")),
        ("userdb_mail=mbox:~/mail", Extra(mail="mbox:~/mail")),
        (
            "quota=1K  allow=imap,POP3,",
            Extra(quota=1024, allow=frozenset({"imap", "pop3"})),
        ),
        ("allow=", Extra(allow=frozenset())),
        ("userdb_quota_rule=*:storage=100M", Extra(quota=100 << 20)),
        ("userdb_quota_rule=*:storage=100", Extra(quota=100 << 10)),
        ("userdb_quota_rule=*:bytes=100", Extra(quota=100)),
        ("userdb_quota_rule=Trash:storage=+1M", Extra()),
        ("disabled", Extra(disabled=True)),
        ("disabled=yes", Extra(disabled=True)),
        ("disabled=no", Extra()),
        ("nologin=y", Extra(disabled=True)),
        ("nopassword x=y", Extra(unknown=("nopassword", "x"))),
        ("allow_nets=local", Extra(networks=(), local=True)),
        (
            "allow_nets=192.0.2.1/24,2001:db8::/32",
            Extra(
                networks=(
                    ipaddress.ip_network("192.0.2.0/24"),
                    ipaddress.ip_network("2001:db8::/32"),
                )
            ),
        ),
    ],
)
def test_the_last_field_says_more(text: str, extra: Extra) -> None:
    assert parse_extra(text) == extra


@pytest.mark.parametrize("text", ["quota=much", "allow_nets=here", "allow_nets=1/99"])
def test_values_of_another_kind_are_refused(text: str) -> None:
    with pytest.raises(BadLine):
        parse_extra(text)


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_any_line_parses_or_is_bad(line: bytes) -> None:
    try:
        entry = parse(line)
        parse_extra(entry.extra)
    except MaildropError:
        return
    assert is_user_name(entry.name)
    assert parse(str(entry).encode()) == entry

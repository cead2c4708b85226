"""Virtual aliases: where mail goes that is routed over them."""

import pytest

from maildrop.errors import NoSuchUser
from tests.delivery.conftest import Host

VIRTUAL = """\
b.example        anything
sales@b.example  alice, ann@far.example
sales+x@b.example bob
@v.example       anything
v.example        anything
info@v.example   bob
list@v.example   info@v.example, carol
@w.example       @b.example
w.example        x
@example.org     alice
webmaster        bob, carol
bob@example.org  bob@example.org, alice
one@v.example    two@v.example
two@v.example    one@v.example
"""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sales@b.example", ["alice", "<ann@far.example>"]),
        ("Sales+x@B.example", ["bob", "alice"]),
        ("sales+y@b.example", ["alice/y", "<ann+y@far.example>"]),
        ("info@v.example", ["bob", "alice"]),
        ("list@v.example", ["bob", "alice", "carol"]),
        ("sales@w.example", ["alice", "<ann@far.example>"]),
        ("carol@w.example", ["carol"]),
        ("whoever@example.org", ["alice"]),
        ("carol@example.org", ["carol"]),
        ("webmaster@example.org", ["bob", "alice", "carol"]),
        ("webmaster@b.example", ["bob", "alice", "carol"]),
        ("bob@example.org", ["bob", "alice"]),
        ("bob@b.example", ["bob"]),
    ],
)
def test_what_a_virtual_alias_means(
    host: Host, address: str, expected: list[str]
) -> None:
    """virtual(5)."""
    host.write("virtual", VIRTUAL)
    assert host.shown(address) == expected


@pytest.mark.parametrize("address", ["nobody@b.example", "one@v.example"])
def test_nobody_is_virtually_called_so(host: Host, address: str) -> None:
    host.write("virtual", VIRTUAL)
    with pytest.raises(NoSuchUser):
        host.route(address)


def test_virtual_aliases_come_before_aliases(host: Host) -> None:
    host.write("aliases", "sales: bob\n")
    host.write("virtual", "sales alice\n")
    assert host.shown("sales") == ["alice"]

"""What an address meant is remembered, and never for longer than it is true."""

from dataclasses import replace

import pytest

from maildrop.errors import NoSuchUser
from tests.delivery.conftest import Host


def files(host: Host) -> None:
    host.write("aliases", "team: carol\n")
    host.write("virtual", "sales@b.example carol\nv.example x\n")


@pytest.mark.parametrize("address", ["bob@example.org", "bob+x@B.example"])
def test_a_users_address_is_not_searched_for_again(host: Host, address: str) -> None:
    files(host)
    first = host.route(address)
    assert host.route(address) is first
    host.clock.advance(5)
    assert host.route(address) is first


@pytest.mark.parametrize("address", ["team", "sales@b.example", "postmaster"])
def test_what_a_file_says_is_searched_for_again(host: Host, address: str) -> None:
    files(host)
    host.write("aliases", "team: carol\npostmaster: carol\n")
    assert host.route(address) is not host.route(address)


def test_each_spelling_keeps_its_own(host: Host) -> None:
    for address in ("bob@example.org", "BOB@example.org", "bob@Example.org"):
        host.route(address)
        assert str(host.route(address).path) == address


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("aliases", "bob: carol\n"),
        ("virtual", "bob@example.org carol\n"),
        ("home/bob/.forward", "\\carol\n"),
    ],
)
def test_a_file_that_speaks_of_it_now_is_heard(
    host: Host, file: str, text: str
) -> None:
    files(host)
    assert host.shown("bob@example.org") == host.shown("bob@example.org") == ["bob"]
    host.write(file, text)
    host.clock.advance(1)
    assert host.shown("bob@example.org") == ["carol"]
    host.write(file, "")
    host.clock.advance(1)
    assert host.shown("bob@example.org") == ["bob"]


def test_a_file_that_is_not_believed_is_not_forgotten(host: Host) -> None:
    host.forward("bob", "carol\n", mode=0o666)
    for _ in range(2):
        (action,) = host.route("bob").actions
        assert "not followed" in str(action.why[-1])


def test_another_account_of_the_name_gets_the_mail(host: Host) -> None:
    host.route("bob")
    host.accounts["bob"] = replace(host.accounts["bob"], location="memory:other")
    (target,) = host.route("bob").mailboxes
    assert target.account.location == "memory:other"
    del host.accounts["bob"]
    with pytest.raises(NoSuchUser):
        host.route("bob")

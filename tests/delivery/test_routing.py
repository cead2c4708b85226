"""Routing: who gets what, and nothing for strangers."""

import pytest
from hypothesis import example, given, strategies as st

from maildrop.auth.users import User
from maildrop.delivery.actions import ToMailbox
from maildrop.delivery.routing import Router
from maildrop.errors import NoSuchUser, RelayDenied
from maildrop.mailbox.account import Account
from maildrop.smtp.wire.path import Path


def user(name: str) -> User:
    return User(Account(name, f"/home/{name}", "memory:"))


class People:
    """Users by name, and by address in the first domain."""

    def __init__(self, *names: str) -> None:
        self.users = {name: user(name) for name in names}

    def address(self, local: str, domain: str) -> User | None:
        found = self.users.get(f"{local.lower()}@{domain}")
        if found is None and domain in {"", "example.org"}:
            found = self.users.get(local.lower())
        return found


PEOPLE = People(
    "alice", "a+b", "carol@b\u00fccher.example", "dora@xn--bcher-kva.example"
)
DOMAINS = ["example.org", "Bücher.example", "[192.0.2.1]"]
ROUTER = Router(PEOPLE, DOMAINS, "mail.example.org", postmaster="alice")


def targets(path: Path, router: Router = ROUTER) -> list[tuple[str, str]]:
    found = router.route_here(path).mailboxes
    return [(target.account.name, target.folder) for target in found]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (Path("alice", "example.org"), ("alice", "INBOX")),
        (Path("ALICE", "EXAMPLE.ORG"), ("alice", "INBOX")),
        (Path("alice", ""), ("alice", "INBOX")),
        (Path("alice", "mail.example.org"), ("alice", "INBOX")),
        (Path("alice+Lists/x", "example.org"), ("alice", "Lists/x")),
        (Path("alice+", "example.org"), ("alice", "INBOX")),
        (Path("a+b", "example.org"), ("a+b", "INBOX")),
        (Path("a+b+c", "example.org"), None),
        (Path("dora", "bücher.example"), ("dora@xn--bcher-kva.example", "INBOX")),
        (Path("postmaster", "example.org"), ("alice", "INBOX")),
        (Path("PostMaster", ""), ("alice", "INBOX")),
        (Path("postmaster", "[192.0.2.1]"), ("alice", "INBOX")),
        (Path("bob", "example.org"), None),
        (Path("", "example.org"), None),
        (Path("+alice", "example.org"), None),
    ],
)
def test_where_an_address_goes(path: Path, target: tuple[str, str] | None) -> None:
    if target is None:
        with pytest.raises(NoSuchUser):
            ROUTER.route_here(path)
    else:
        assert targets(path) == [target]


def test_an_address_without_a_domain_gets_ours() -> None:
    assert ROUTER.route_here(Path("alice", "")).path == Path("alice", "example.org")


def test_the_postmaster_is_nobody_unless_somebody_is_named() -> None:
    """RFC 5321 section 4.5.1."""
    with pytest.raises(NoSuchUser):
        Router(PEOPLE, DOMAINS, "mail.example.org").route_here(Path("postmaster", ""))


def test_a_user_called_postmaster_comes_first() -> None:
    people = People("alice", "postmaster")
    router = Router(people, ["example.org"], "x.example.org", postmaster="alice")
    assert targets(Path("Postmaster", ""), router) == [("postmaster", "INBOX")]


def test_without_separators_there_is_no_detail() -> None:
    router = Router(PEOPLE, DOMAINS, "mail.example.org", separators="")
    with pytest.raises(NoSuchUser):
        router.route_here(Path("alice+x", "example.org"))


@pytest.mark.parametrize(
    "domain",
    ["elsewhere.example", "sub.example.org", "example.org.evil.example", "[192.0.2.2]"],
)
def test_other_domains_are_denied(domain: str) -> None:
    with pytest.raises(RelayDenied):
        ROUTER.route_here(Path("alice", domain))


paths = st.builds(
    Path,
    st.sampled_from(["alice", "alice+x", "postmaster", "a@example.org", ""]),
    st.one_of(st.text(min_size=1, max_size=20), st.sampled_from(DOMAINS)),
)


@given(paths)
@example(Path("alice", "."))
def test_nothing_is_ever_taken_for_a_domain_that_is_not_ours(path: Path) -> None:
    try:
        recipient = ROUTER.route_here(path)
    except (NoSuchUser, RelayDenied):
        return
    assert ROUTER.is_local(path.domain)
    assert all(isinstance(action, ToMailbox) for action in recipient.actions)

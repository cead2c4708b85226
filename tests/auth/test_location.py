"""Variables in homes and mail locations."""

import pytest
from hypothesis import given, settings, strategies as st

from maildrop.auth.entry import is_user_name
from maildrop.auth.location import expand, home, location, split_name
from maildrop.errors import ConfigurationError

NAME = "bob@example.org"


def test_a_name_is_split_at_its_last_at() -> None:
    assert split_name("bob") == ("bob", "")
    assert split_name("a@b@c") == ("a@b", "c")


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/srv/%d/%n", "/srv/example.org/bob"),
        ("/srv/%u", "/srv/bob@example.org"),
        ("/srv/100%%", "/srv/100%"),
        ("/home/bob/", "/home/bob"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_a_home_may_have_variables(template: str, path: str) -> None:
    assert home(template, NAME) == path


@pytest.mark.parametrize(
    "template", ["relative", "~/x", "/a/../b", "/a/%x", "/a/%", "/%h", "/a\0b", "/a\nb"]
)
def test_a_home_that_leads_elsewhere_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError):
        home(template, NAME)


def test_a_variable_without_value_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="%d has no value for bob"):
        expand("/srv/%d", "bob", "")


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("maildir:~/Maildir", "maildir:/home/bob/Maildir"),
        ("maildir:~", "maildir:/home/bob"),
        ("maildir:%h/Maildir/", "maildir:/home/bob/Maildir"),
        ("mbox:/var/mail/%n:~/mail", "mbox:/var/mail/bob:/home/bob/mail"),
        ("mbox:~/mail:INBOX=/var/mail/%n", "mbox:/var/mail/bob:/home/bob/mail"),
        ("maildir:~/M:INDEX=/x:LAYOUT=fs", "maildir:/home/bob/M"),
        ("memory:", "memory:"),
    ],
)
def test_locations_come_out_absolute_and_in_our_order(
    template: str, wanted: str
) -> None:
    assert location(template, NAME, "/home/bob") == wanted


@pytest.mark.parametrize(
    "template", ["", "~/Maildir", "maildir:Maildir", "maildir:/a/../b", "mbox:~x/y"]
)
def test_locations_that_lead_elsewhere_are_refused(template: str) -> None:
    with pytest.raises(ConfigurationError):
        location(template, NAME, "/home/bob")


def test_a_location_in_a_home_needs_one() -> None:
    with pytest.raises(ConfigurationError, match="has no home"):
        location("maildir:~/Maildir", NAME, "")


@settings(max_examples=150)
@given(st.text(alphabet="ab./%~@-=:\\é", min_size=1, max_size=12).filter(is_user_name))
def test_no_name_leads_out_of_the_mail_root(name: str) -> None:
    found = location("mbox:/var/mail/%u:/srv/%n/mail", name, "")
    first, second = found.removeprefix("mbox:").split(":")
    assert first.count("/") == 3
    assert second.startswith("/srv/")
    assert second.count("/") == 3
    assert ".." not in found.split("/")

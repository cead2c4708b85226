"""Kinds of configuration values."""

import pytest
from hypothesis import given, strategies as st

from maildrop.app import kinds
from maildrop.app.kinds import Kind, Unfit

HERE = "/etc/maildrop"


@pytest.mark.parametrize(
    ("kind", "given_", "expected"),
    [
        (kinds.TEXT, "x", "x"),
        (kinds.YES_NO, True, True),
        (kinds.OCTETS, 5, 5),
        (kinds.OCTETS, "50M", 50 << 20),
        (kinds.OCTETS, "1 GiB", 1 << 30),
        (kinds.OCTETS, "7", 7),
        (kinds.OCTETS, "3kb", 3072),
        (kinds.SECONDS, 1.5, 1.5),
        (kinds.SECONDS, "30m", 1800.0),
        (kinds.SECONDS, "250ms", 0.25),
        (kinds.SECONDS, "1w", 604800.0),
        (kinds.PATH, "passwd", "/etc/maildrop/passwd"),
        (kinds.PATH, "../certs/x.pem", "/etc/certs/x.pem"),
        (kinds.PATH, "/x", "/x"),
        (kinds.PATH_OR_NONE, "", ""),
        (kinds.PATHS, ["/a", "b"], ("/a", "/etc/maildrop/b")),
        (kinds.HOST, "Mail.Example.ORG.", "mail.example.org"),
        (kinds.DOMAINS, ["Bücher.example"], ("xn--bcher-kva.example",)),
        (kinds.NETWORKS, ["10.0.0.0/8", "unix"], ("10.0.0.0/8", "unix")),
        (kinds.HOME, "/var/vmail/%d/%n", "/var/vmail/%d/%n"),
        (kinds.LOCATION, "maildir:~/Maildir", "maildir:~/Maildir"),
        (kinds.LOCATION, "maildir:%h/m", "maildir:%h/m"),
        (kinds.LOCATION, "maildir:mail/%u", "maildir:/etc/maildrop/mail/%u"),
        (kinds.LOCATION, "mbox:/var/mail/%u:~/mail", "mbox:/var/mail/%u:~/mail"),
        (kinds.LOCATION, "mbox:/var/mail/%u", "mbox:/var/mail/%u"),
        (kinds.LOCATION, "mbox:~/mail:INBOX=/v/%u", "mbox:~/mail:INBOX=/v/%u"),
        (kinds.LOCATION, "memory:", "memory:"),
        (kinds.ACCOUNT, "_mail-drop", "_mail-drop"),
        (kinds.MAILBOX, "", ""),
        (kinds.MAILBOX, "Old/Sent", "Old/Sent"),
        (kinds.SEPARATOR, "+", "+"),
        (kinds.SEPARATOR, "", ""),
        (kinds.NAMESPACE, "/", "/"),
        (kinds.NAMESPACE, "INBOX.", "INBOX."),
        (kinds.count(1, 9), 9, 9),
        (kinds.choice("a", "b"), "b", "b"),
        (kinds.choice("a", "b", or_none=True), "", ""),
    ],
)
def test_a_value_becomes_what_it_means(
    kind: Kind, given_: object, expected: object
) -> None:
    assert kind.read(given_, HERE) == expected


@pytest.mark.parametrize(
    ("kind", "given_", "reason"),
    [
        (kinds.TEXT, 1, "must be text"),
        (kinds.TEXT, "a\nb", "control character"),
        (kinds.YES_NO, "yes", "true or false"),
        (kinds.OCTETS, -1, "negative"),
        (kinds.OCTETS, True, "octets"),
        (kinds.OCTETS, "50X", "octets"),
        (kinds.SECONDS, "soon", "a time"),
        (kinds.SECONDS, -1, "from 0"),
        (kinds.SECONDS, float("nan"), "from 0"),
        (kinds.PATH, "", "empty"),
        (kinds.PATH, "~/x", "server"),
        (kinds.PATHS, "/a", "a list"),
        (kinds.PATHS, {}, "a list"),
        (kinds.HOST, "192.0.2.1", "must be a name"),
        (kinds.DOMAINS, ["*"], "whole world"),
        (kinds.DOMAINS, ["*.example.org"], "whole world"),
        (kinds.DOMAINS, ["a@b.example"], "is an address"),
        (kinds.DOMAINS, ["[192.0.2.1]"], "address literal"),
        (kinds.DOMAINS, ["a..b"], "no domain"),
        (kinds.NETWORKS, ["10.0.0.1/8"], "no network"),
        (kinds.NETWORKS, ["everybody"], "no network"),
        (kinds.DOMAINS, [""], "no domain"),
        (kinds.DOMAINS, ["-x.org"], "no domain"),
        (kinds.DOMAINS, ["x" * 64], "no domain"),
        (kinds.HOME, "/home/%x", "no variable"),
        (kinds.HOME, "/home/%h", "no variable"),
        (kinds.LOCATION, "mailder:~/x", "no location"),
        (kinds.LOCATION, "maildir", "no location"),
        (kinds.LOCATION, "maildir:", "no location"),
        (kinds.LOCATION, "maildir:/a:/b", "one too many"),
        (kinds.LOCATION, "mbox:/a:/b:/c", "one too many"),
        (kinds.LOCATION, "mbox:/a:", "empty path"),
        (kinds.LOCATION, "maildir:~bob/x", "another's home"),
        (kinds.LOCATION, "maildir:/a/../b", "leaves"),
        (kinds.LOCATION, "maildir:/%q", "no variable"),
        (kinds.LOCATION, "maildir:/a%", "no variable"),
        (kinds.LOCATION, "memory:x", "no location"),
        (kinds.ACCOUNT, "a b", "no name"),
        (kinds.ACCOUNT, "", "no name"),
        (kinds.MAILBOX, "INBOX", "cannot be"),
        (kinds.MAILBOX, "a/../b", "cannot be"),
        (kinds.MAILBOX, "/a", "cannot be"),
        (kinds.SEPARATOR, "++", "cannot separate"),
        (kinds.SEPARATOR, "@", "cannot separate"),
        (kinds.NAMESPACE, "", "letters and digits"),
        (kinds.NAMESPACE, "INBOX", "letters and digits"),
        (kinds.NAMESPACE, "a b.", "letters and digits"),
        (kinds.count(1, 9), 10, "from 1 to 9"),
        (kinds.count(), "1", "whole number"),
        (kinds.count(), False, "whole number"),
        (kinds.choice("a", "b"), "c", "not known"),
        (kinds.choice("a", "b"), "", "not known"),
        (kinds.choice("a", "b", or_none=True), "c", "not known"),
    ],
)
def test_a_value_that_fits_not_is_refused_with_its_reason(
    kind: Kind, given_: object, reason: str
) -> None:
    with pytest.raises(Unfit) as caught:
        kind.read(given_, HERE)
    assert reason in caught.value.what


def test_a_misspelt_word_gets_the_nearest_proposed() -> None:
    assert kinds.nearest("startls", ("none", "starttls")) == 'did you mean "starttls"?'


def test_a_word_like_none_gets_all_proposed() -> None:
    assert kinds.nearest("xyz", ("a", "b")) == 'one of "a", "b"'


VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=6), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.mark.parametrize(
    "kind", [each for each in vars(kinds).values() if isinstance(each, Kind)]
)
@given(value=VALUES)
def test_any_value_is_read_or_unfit(kind: Kind, value: object) -> None:
    try:
        kind.read(value, HERE)
    except Unfit as unfit:
        assert unfit.what

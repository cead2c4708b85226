"""What the configuration says of quota, keeping and expiry."""

import pytest

from maildrop.app.config import Reading, parse
from maildrop.app.schema_store import Expire, QuotaWarning


def read(text: str) -> Reading:
    return parse('hostname = "mail.example.org"\n' + text, "/etc/maildrop.toml")


def test_without_a_word_there_is_no_quota_and_expunged_mail_is_kept_a_week() -> None:
    configuration = read("").configuration
    assert (configuration.quota.storage, configuration.quota.messages) == (0, 0)
    assert configuration.mail.keep_expunged == 7 * 86400
    assert configuration.mail.keep_expunged_octets == 1 << 30
    assert configuration.expire == ()


def test_warnings_and_expiry_are_lists_of_tables() -> None:
    reading = read(
        '[quota]\nstorage = "5G"\n'
        '[[quota.warning]]\nat = 80\nmessage = "warning.eml"\n'
        '[[quota.warning]]\nat = 95\ncommand = ["/bin/warn", "now"]\n'
        '[[expire]]\nmailbox = "Trash"\nafter = "30d"\n'
    )
    assert reading.problems == []
    assert reading.configuration.quota.storage == 5 << 30
    assert reading.configuration.quota.warning == (
        QuotaWarning(80, (), "/etc/warning.eml"),
        QuotaWarning(95, ("/bin/warn", "now"), ""),
    )
    assert reading.configuration.expire == (Expire("Trash", 30 * 86400.0),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[quota.warning]]\nat = 101", "quota.warning[1].at"),
        ("[[quota.warning]]\nmessage = 'x'", "quota.warning[1].at"),
        ("[[quota.warning]]\nat = 80\ncommand = ['warn']", "absolute path"),
        ("[quota]\nwarning = 80", "[[quota.warning]]"),
        ("[quota.warning]\nat = 80", "[[quota.warning]]"),
        ("[[expire]]\nmailbox = 'Trash'", "expire[1].after"),
        ("[expire]\nmailbox = 'Trash'", "[[expire]]"),
        ("[quota]\nfull = 'bounce'", "quota.full"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, problem: str) -> None:
    reading = read(text)
    assert reading.fatal
    assert problem in "\n".join(map(str, reading.problems))

"""The date of what is written here."""

from maildrop.delivery.date_time import date_time


def test_dates() -> None:
    """RFC 5322 section 3.3."""
    assert date_time(0) == "Thu, 1 Jan 1970 00:00:00 +0000"
    assert date_time(1_790_000_000.9) == "Mon, 21 Sep 2026 14:13:20 +0000"

"""SRS: addresses that lead reports back, and no other mail."""

import pytest
from hypothesis import given, strategies as st

from maildrop.delivery.srs import SRS, Forged
from maildrop.smtp.wire.path import PART_MAX, Path, path_of

DAY = 86400.0
SENDER = Path("Ann.Other", "far.example")


class Days:
    """A clock of days."""

    def __init__(self, day: float = 20000) -> None:
        self.day = day

    def __call__(self) -> float:
        return self.day * DAY


def srs(*keys: bytes, domain: str = "example.org", now: Days | None = None) -> SRS:
    return SRS(keys or (b"secret",), domain, now or Days())


def test_an_address_is_written_and_read() -> None:
    written = srs().forward(SENDER)
    assert written.domain == "example.org"
    assert written.local.startswith("SRS0=")
    assert written.local.endswith("=far.example=Ann.Other")
    assert srs().reverse(written) == SENDER
    assert SRS.is_one(written)


def test_case_is_no_matter_for_the_digest() -> None:
    """Some hosts change it."""
    written = srs().forward(SENDER)
    lower = Path(written.local.lower(), written.domain)
    assert str(srs().reverse(lower)) == "ann.other@far.example"


def test_a_second_host_wraps_a_third_does_not() -> None:
    first = srs(domain="one.example").forward(SENDER)
    second = srs(b"other", domain="two.example").forward(first)
    assert second.local.startswith("SRS1=")
    third = srs(b"third", domain="three.example").forward(second)
    assert third.local.count("one.example") == 1
    assert "two.example" not in third.local
    assert srs(b"third").reverse(third) == first
    assert srs(b"other").reverse(second) == first
    assert srs(domain="one.example").reverse(first) == SENDER


def test_it_is_good_for_some_days() -> None:
    days = Days(1023)
    both = srs(now=days)
    written = both.forward(SENDER)
    days.day += 21.5
    assert both.reverse(written) == SENDER
    days.day += 1
    with pytest.raises(Forged, match="older than 21 days"):
        both.reverse(written)


def test_a_key_can_be_changed() -> None:
    written = srs(b"old").forward(SENDER)
    assert srs(b"new", b"old").reverse(written) == SENDER
    assert srs(b"new", b"old").forward(SENDER) == srs(b"new").forward(SENDER)
    with pytest.raises(Forged):
        srs(b"new").reverse(written)


@pytest.mark.parametrize(
    "local",
    [
        "SRS0=aaaaaaaa=AA=far.example=ann",
        "SRS0=x",
        "SRS1=aaaaaaaa=far.example==x",
        "SRS1=",
        "SRS0+\u00e9=AA=far.example=ann",
    ],
)
def test_what_was_not_written_here(local: str) -> None:
    with pytest.raises(Forged):
        srs().reverse(Path(local, "example.org"))


def test_every_letter_counts() -> None:
    written = srs().forward(SENDER).local
    hash_at = len("SRS0=")
    for at in range(hash_at, len(written)):
        other = written[:at] + ("x" if written[at] != "x" else "y") + written[at + 1 :]
        with pytest.raises(Forged):
            srs().reverse(Path(other, "example.org"))


def test_an_address_that_would_be_too_long_stays() -> None:
    long = Path("a" * (PART_MAX - 20), "far.example")
    assert srs().forward(long) == long


paths = st.builds(
    Path,
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60
    ),
    st.sampled_from(["far.example", "x.y", "[192.0.2.1]"]),
)


@given(paths)
def test_what_is_written_reads_back(path: Path) -> None:
    written = srs().forward(path)
    assert path_of(str(written)) == written
    if not SRS.is_one(path):
        assert srs().reverse(written) == path

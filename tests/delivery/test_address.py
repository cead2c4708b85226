"""Domains and details."""

import pytest

from maildrop.delivery.address import canonical_domain, split_detail


@pytest.mark.parametrize(
    ("domain", "canonical"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a\u2028ö", "a\u2028ö"),
        ("", ""),
    ],
)
def test_domains_that_mean_the_same_compare_equal(domain: str, canonical: str) -> None:
    """RFC 5321 section 2.4, RFC 5890."""
    assert canonical_domain(domain) == canonical


@pytest.mark.parametrize(
    ("local", "separators", "parts"),
    [
        ("user", "+", ("user", "")),
        ("user+detail", "+", ("user", "detail")),
        ("user+a+b", "+", ("user", "a+b")),
        ("user-a+b", "+-", ("user", "a+b")),
        ("+detail", "+", ("+detail", "")),
        ("user+", "+", ("user", "")),
        ("user+detail", "", ("user+detail", "")),
        ("", "+", ("", "")),
    ],
)
def test_the_first_separator_divides(
    local: str, separators: str, parts: tuple[str, str]
) -> None:
    """RFC 5233 section 1."""
    assert split_detail(local, separators) == parts

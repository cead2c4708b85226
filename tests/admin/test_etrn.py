"""``maildrop etrn``: what it refuses to ask; ``tests/interop`` has the rest."""

import pytest

from tests.admin.conftest import Command


@pytest.mark.parametrize("domain", ["a..b", "a b", "#queue", ""])
def test_what_is_no_domain_is_not_asked_for(maildrop: Command, domain: str) -> None:
    """RFC 1985 section 5.1."""
    outcome = maildrop("etrn", "192.0.2.1", domain)
    assert outcome.status == 64
    assert f'"{domain}" is no domain' in outcome.err

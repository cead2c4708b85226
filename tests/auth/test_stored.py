"""Password fields as they stand in a file."""

import pytest

from maildrop.auth import crypt3, passwords
from maildrop.auth.stored import CRYPT_SCHEMES, SCHEMES, problem


def test_the_schemes_are_those_that_passwords_are_verified_in() -> None:
    assert set(passwords.SCHEMES) == SCHEMES


def test_schemes_of_crypt_strings_are_those_that_crypt_verifies() -> None:
    verified = {
        name
        for name, scheme in passwords.SCHEMES.items()
        if scheme.verify is crypt3.verify
    }
    assert verified == CRYPT_SCHEMES


@pytest.mark.parametrize("stored", ["{NOSUCH}a", "plain text", "{CRYPT}a", "{PLAIN}"])
def test_fields_that_nothing_can_fit_are_a_problem(stored: str) -> None:
    assert problem(stored)


def test_locked_fields_are_no_problem() -> None:
    assert [problem(stored) for stored in ("", "*", "!x", "x")] == [""] * 4

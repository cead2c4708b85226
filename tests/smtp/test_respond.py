"""Replies for errors."""

import pytest

from maildrop.errors import (
    AccessDenied,
    ConfigurationError,
    MailboxInUse,
    MailboxNotFound,
    MailboxVanished,
    MaildropError,
    MailLoop,
    MessageTooLarge,
    NoSpace,
    NoSuchUser,
    OverQuota,
    RelayDenied,
    StorageFailure,
    TemporaryError,
)
from maildrop.smtp.respond import refusal


@pytest.mark.parametrize(
    ("error", "code", "enhanced"),
    [
        (NoSuchUser, 550, "5.1.1"),
        (RelayDenied, 550, "5.7.1"),
        (MailLoop, 554, "5.4.6"),
        (MessageTooLarge, 552, "5.3.4"),
        (OverQuota, 552, "5.2.2"),
        (NoSpace, 452, "4.3.1"),
        (MailboxInUse, 450, "4.2.0"),
        (StorageFailure, 451, "4.3.0"),
        (MailboxVanished, 451, "4.3.0"),
        (TemporaryError, 451, "4.3.0"),
        (MaildropError, 451, "4.3.0"),
        (MailboxNotFound, 451, "4.3.5"),
        (AccessDenied, 451, "4.3.5"),
        (ConfigurationError, 451, "4.3.5"),
    ],
)
def test_the_class_of_an_error_decides(
    error: type[MaildropError], code: int, enhanced: str
) -> None:
    """RFC 3463; what an administrator can mend does not bounce."""
    found = refusal(error("/secret/path"))
    assert (found.code, found.enhanced) == (code, enhanced)
    assert found.temporary == (code < 500)
    assert b"secret" not in bytes(found)

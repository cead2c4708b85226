"""Errors become answers (RFC 3501 section 7.1, RFC 5530)."""

import inspect

import pytest

from maildrop import errors
from maildrop.imap import respond
from maildrop.imap.wire.arguments import UnknownCommand
from maildrop.imap.wire.search import BadCharset

EVERY = [
    kind
    for module in (errors, respond)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, errors.MaildropError)
]


@pytest.mark.parametrize("kind", EVERY)
def test_every_error_has_an_answer_that_tells_no_secret(
    kind: type[errors.MaildropError],
) -> None:
    answer = respond.refusal(b"a", kind("/var/mail/secret"))
    assert answer.startswith((b"a NO [", b"a BAD "))
    assert answer.endswith(b"\r\n")
    assert answer.count(b"\r\n") == 1
    assert b"secret" not in answer


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (errors.MailboxNotFound(), b"a NO [NONEXISTENT] No such mailbox"),
        (errors.AuthenticationFailed(), b"a NO [AUTHENTICATIONFAILED] "),
        (errors.AccountDisabled(), b"a NO [AUTHORIZATIONFAILED] "),
        (errors.NoSpace(), b"a NO [UNAVAILABLE] No space left"),
        (errors.OverQuota(), b"a NO [OVERQUOTA] "),
        (errors.MailboxInUse(), b"a NO [INUSE] "),
        (errors.KeywordLimit(), b"a NO [LIMIT] "),
        (errors.MessageExpunged(), b"a NO [EXPUNGEISSUED] "),
        (errors.ProtocolSyntaxError("x", 7), b"a BAD Syntax error at octet 7\r\n"),
        (UnknownCommand(), b"a BAD Unknown command\r\n"),
        (BadCharset(), b"a NO [BADCHARSET (ASCII US-ASCII UTF-8)] "),
        (errors.NoSuchUser(), b"a NO [CANNOT] "),
    ],
)
def test_answers(error: errors.MaildropError, answer: bytes) -> None:
    assert respond.refusal(b"a", error).startswith(answer)


def test_without_a_tag_the_answer_is_untagged() -> None:
    assert respond.refusal(None, UnknownCommand()) == b"* BAD Unknown command\r\n"
    assert respond.refusal(None, errors.NoSpace()).startswith(b"* NO ")

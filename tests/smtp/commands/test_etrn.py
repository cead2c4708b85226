"""ETRN: a server that was away asks for its mail (RFC 1985)."""

from dataclasses import replace

import pytest

from maildrop.errors import StorageFailure
from tests.smtp.conftest import Served


class Waiting:
    """What waits, by domain; ``broken`` cannot be looked at."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def allows(self, domain: str) -> bool:
        return domain.endswith("branch.example")

    async def start(self, domain: str, *, below: bool) -> int:
        self.asked.append((domain, below))
        if domain.startswith("broken"):
            raise StorageFailure("no")
        return 3 if domain == "branch.example" else 0


@pytest.fixture
def turns(smtp: Served) -> Waiting:
    """A connection to a server where one domain may be asked for."""
    waiting = Waiting()
    smtp.site = replace(smtp.site, turns=waiting)
    smtp.connect()
    return waiting


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"ETRN branch.example", b"253 2.0.0 OK, 3 pending messages started"),
        (b"ETRN @Branch.Example", b"253 2.0.0 OK, 3 pending messages started"),
        (b"ETRN other.branch.example", b"251 2.0.0 OK, no messages waiting"),
        (b"ETRN broken.branch.example", b"458 4.3.0"),
        (b"ETRN elsewhere.example", b"459 4.7.1"),
        (b"ETRN", b"501 5.5.4"),
        (b"ETRN #queue", b"501 5.5.4"),
    ],
)
def test_replies(smtp: Served, turns: Waiting, line: bytes, answer: bytes) -> None:
    """RFC 1985 section 5.3."""
    assert b"ETRN" in smtp.lines(b"EHLO branch.example")
    assert smtp.lines(line).startswith(answer)
    assert len(turns.asked) == (answer[:3] in {b"253", b"251", b"458"})


def test_what_is_below_is_asked_for_with_an_at(smtp: Served, turns: Waiting) -> None:
    smtp.lines(b"EHLO x", b"ETRN @branch.example", b"ETRN branch.example")
    assert turns.asked == [("branch.example", True), ("branch.example", False)]


def test_it_has_its_place_after_ehlo_and_between_messages(
    smtp: Served, turns: Waiting
) -> None:
    assert smtp.codes(b"ETRN branch.example") == [503]
    assert smtp.codes(b"HELO x", b"ETRN branch.example") == [250, 503]
    assert smtp.codes(b"EHLO x", b"MAIL FROM:<a@b>", b"ETRN branch.example") == [
        250,
        250,
        503,
    ]
    assert smtp.codes(b"RSET", b"ETRN branch.example") == [250, 253]
    assert len(turns.asked) == 1


def test_it_is_not_offered_where_nobody_may_ask(smtp: Served, lmtp: Served) -> None:
    assert b"ETRN" not in smtp.lines(b"EHLO x")
    assert smtp.codes(b"ETRN branch.example") == [502]
    assert lmtp.codes(b"ETRN branch.example") == [500]

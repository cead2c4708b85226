"""The fault matrix of the queue, sampled: see ``queue_matrix`` and ``queue_beside``."""

import pytest

from tests.crash.matrix import Effort
from tests.crash.queue_beside import ACTS, Act, try_beside
from tests.crash.queue_errands import ERRANDS, Errand
from tests.crash.queue_matrix import try_errand

#: Of so many stop points one is tried, another one of each errand.
EVERY = 61


@pytest.mark.parametrize("format_name", ["maildir", "mbox"])
@pytest.mark.parametrize("errand", ERRANDS, ids=lambda errand: errand.name)
def test_each_recipient_has_it_once_or_the_sender_one_report(
    format_name: str, errand: Errand
) -> None:
    offset = ERRANDS.index(errand) * 7 % EVERY
    row = try_errand(format_name, errand, Effort(EVERY, offset, 1, inner=90))
    assert row.findings == []
    assert row.calls > 0


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_who_acts_beside_a_server_loses_and_doubles_nothing(act: Act) -> None:
    row = try_beside("maildir", act, Effort(9, ACTS.index(act)))
    assert row.findings == []
    assert sum(row.tried.values()) > 0

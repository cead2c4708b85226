"""The fault matrix of the queue, sampled: see ``queue_matrix``."""

import pytest

from tests.crash.matrix import Effort
from tests.crash.queue_matrix import try_errand
from tests.crash.queue_world import ERRANDS, Errand

#: Of so many stop points one is tried, another one of each errand.
EVERY = 97


@pytest.mark.parametrize("format_name", ["maildir", "mbox"])
@pytest.mark.parametrize("errand", ERRANDS, ids=lambda errand: errand.name)
def test_each_recipient_has_it_once_or_the_sender_one_report(
    format_name: str, errand: Errand
) -> None:
    offset = ERRANDS.index(errand) * 7 % EVERY
    row = try_errand(format_name, errand, Effort(EVERY, offset, 1, inner=90))
    assert row.findings == []
    assert sum(row.tried.values()) > 0

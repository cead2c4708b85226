"""The fault matrix, sampled: see ``matrix``.  ``python -m tests.crash`` tries all."""

import pytest

from tests.crash.matrix import Effort, try_all
from tests.crash.operations import OPERATIONS, Operation

#: Of so many stop points one is tried, not the same one of each operation.
EVERY = 25

CASES = [
    pytest.param(
        format_name,
        operation,
        Effort(EVERY, number % 4, recoveries=1, inner=20),
        id=f"{format_name}-{operation.name}",
    )
    for number, operation in enumerate(OPERATIONS)
    for format_name in operation.formats
]


@pytest.mark.parametrize(("format_name", "operation", "effort"), CASES)
def test_nothing_is_lost_doubled_or_renumbered(
    format_name: str, operation: Operation, effort: Effort
) -> None:
    row = try_all(format_name, operation, effort)
    assert row.findings == []
    assert row.calls == 0 or sum(row.tried.values()) > 0

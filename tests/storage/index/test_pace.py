"""How quick the disk was lately."""

from maildrop.storage.index.pace import Pace


def test_quick_work_changes_nothing() -> None:
    pace = Pace()
    pace.took(10.0, 10.001)
    assert not pace.slow(10.001)


def test_after_slow_work_a_while_is_left_to_threads() -> None:
    pace = Pace()
    pace.took(10.0, 10.1)
    assert pace.slow(10.2)
    pace.took(10.2, 10.201)
    assert pace.slow(11.0)
    assert not pace.slow(11.1)

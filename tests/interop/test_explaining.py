"""``explain`` says what will be done: a thousand worlds, with real files."""

from hypothesis import HealthCheck, given, settings

from tests.app.world import Letter, World, cases, foretold_comes


@settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(cases())
def test_what_is_foretold_is_what_happens(case: tuple[World, Letter]) -> None:
    foretold_comes(*case)

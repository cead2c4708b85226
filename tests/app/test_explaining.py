"""``explain`` says what will be done, and does nothing."""

from hypothesis import given, settings

from tests.app.world import Letter, World, cases, foretold_comes


@settings(max_examples=100, deadline=None)
@given(cases())
def test_what_is_foretold_is_what_happens(case: tuple[World, Letter]) -> None:
    foretold_comes(*case)

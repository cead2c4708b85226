"""LOGIN-DELAY: RFC 2449 section 6.5."""

from maildrop.pop3.login_delay import LoginDelay


def test_without_a_delay_nobody_waits() -> None:
    delay = LoginDelay()
    assert [delay.too_soon("bob", 0.0) for _ in range(3)] == [False] * 3


def test_a_user_waits_from_one_good_login_to_the_next() -> None:
    delay = LoginDelay(60)
    assert not delay.too_soon("bob", 0.0)
    assert delay.too_soon("bob", 59.0)
    assert not delay.too_soon("al", 59.0)
    assert not delay.too_soon("bob", 60.0)
    assert delay.too_soon("bob", 100.0)


def test_users_remembered_are_bounded() -> None:
    delay = LoginDelay(60, users=2)
    for name in ("a", "b", "c"):
        delay.too_soon(name, 0.0)
    assert [delay.too_soon(name, 1.0) for name in ("b", "c", "a")] == [
        True,
        True,
        False,
    ]

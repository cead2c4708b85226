"""How a process keeps memory."""

from maildrop.app.allocation import MALLOC, tune_allocator


class OtherLibrary:
    """A C library that is not glibc."""

    def mallopt(self, name: int, octets: int) -> int:
        raise AssertionError((name, octets))


class Glibc:
    """One that notes what it is told."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def gnu_get_libc_version(self) -> bytes:
        return b"2.36"

    def mallopt(self, name: int, octets: int) -> int:
        self.told[name] = octets
        return 1


def test_glibc_keeps_some_free_memory() -> None:
    libc = Glibc()
    assert tune_allocator(libc)
    assert libc.told == MALLOC


def test_another_c_library_is_left_alone() -> None:
    assert not tune_allocator(OtherLibrary())

"""A process that was stopped holds no file any more."""

from tests.storage.conftest import _let_go

__all__ = ["_let_go"]

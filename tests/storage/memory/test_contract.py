"""The contract of stores, kept by the memory."""

from collections.abc import Callable

import pytest

from maildrop.storage.memory.store import MemoryStore
from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract
from tests.storage.keyed import KeyedContract
from tests.storage.numbering import NumberingContract
from tests.storage.quota import QuotaContract
from tests.storage.undelete import UndeleteContract


@pytest.fixture
def open_store() -> Callable[[], MemoryStore]:
    store = MemoryStore(lambda: 1000.0)
    return lambda: store


class TestMemory(
    StoreContract,
    HierarchyContract,
    KeyedContract,
    NumberingContract,
    QuotaContract,
    UndeleteContract,
):
    """Mail that vanishes with the process."""

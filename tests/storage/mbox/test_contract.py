"""The contract of stores, kept by mbox files."""

from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract


class TestMbox(StoreContract, HierarchyContract):
    """An inbox and a directory of mailboxes."""

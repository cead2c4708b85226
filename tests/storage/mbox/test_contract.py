"""The contract of stores, kept by mbox files."""

from tests.storage.contract import HierarchyContract, StoreContract


class TestMbox(StoreContract, HierarchyContract):
    """An inbox and a directory of mailboxes."""

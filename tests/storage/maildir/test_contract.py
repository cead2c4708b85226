"""The contract of stores, kept by Maildirs."""

from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract


class TestMaildir(StoreContract, HierarchyContract):
    """A Maildir with Maildir++ folders."""

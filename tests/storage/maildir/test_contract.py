"""The contract of stores, kept by Maildirs."""

from tests.storage.contract import HierarchyContract, StoreContract


class TestMaildir(StoreContract, HierarchyContract):
    """A Maildir with Maildir++ folders."""

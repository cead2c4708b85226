"""The contract of stores, kept by mbox files."""

from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract
from tests.storage.undelete import UndeleteContract


class TestMbox(StoreContract, HierarchyContract, UndeleteContract):
    """An inbox and a directory of mailboxes."""

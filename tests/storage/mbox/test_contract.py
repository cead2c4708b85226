"""The contract of stores, kept by mbox files."""

from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract
from tests.storage.keyed import KeyedContract
from tests.storage.numbering import NumberingContract
from tests.storage.quota import QuotaContract
from tests.storage.undelete import UndeleteContract


class TestMbox(
    StoreContract,
    HierarchyContract,
    KeyedContract,
    NumberingContract,
    QuotaContract,
    UndeleteContract,
):
    """An inbox and a directory of mailboxes."""

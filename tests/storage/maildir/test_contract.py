"""The contract of stores, kept by Maildirs."""

from tests.storage.contract import StoreContract
from tests.storage.hierarchy import HierarchyContract
from tests.storage.keyed import KeyedContract
from tests.storage.numbering import NumberingContract
from tests.storage.quota import QuotaContract
from tests.storage.undelete import UndeleteContract


class TestMaildir(
    StoreContract,
    HierarchyContract,
    KeyedContract,
    NumberingContract,
    QuotaContract,
    UndeleteContract,
):
    """A Maildir with Maildir++ folders."""

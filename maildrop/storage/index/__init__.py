"""Control files of a mailbox that is kept in files: ledger and cache."""

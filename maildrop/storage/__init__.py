"""Stores: Maildir, mbox and memory behind the interfaces of ``mailbox``."""

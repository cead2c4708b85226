"""Stores of other servers: what they keep beside the mail, read and written."""

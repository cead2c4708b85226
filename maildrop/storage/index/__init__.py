"""Ledger, cache and text: what stands beside the mail files."""

"""Maildir and Maildir++ folders."""

"""Charsets and case folding, shared by scanner, search and commands."""
